"""Long inputs: windows are scored for each field, and students read the best of them."""
