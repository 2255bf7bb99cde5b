"""Models behind an API, as something that completes chat requests."""
