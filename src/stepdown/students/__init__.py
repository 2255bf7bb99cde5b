"""Students: families of small models."""
