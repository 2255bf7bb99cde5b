"""Engines: where many-item work runs."""
