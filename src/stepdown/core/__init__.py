"""Nouns and pure functions: the values that rooms pass to each other. Nothing here does I/O."""
