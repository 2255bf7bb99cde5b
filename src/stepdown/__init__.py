"""stepdown: the smallest model that does each of your narrow LLM calls, proven and served.

Importing this package loads the standard library alone; every room is imported by the command
that needs it.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
