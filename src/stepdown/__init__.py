"""stepdown: the smallest model that does each of your narrow LLM calls, proven and served.

Importing this package loads the standard library alone; every room is imported by the command
that needs it, and `route_to_model` with its values on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepdown.core.tiering import Thresholds, route_to_model, task_type_of

__version__ = "0.1.0"
__all__ = ["Thresholds", "__version__", "route_to_model", "task_type_of"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("stepdown.core.tiering"), name)
    raise AttributeError(f"module 'stepdown' has no attribute {name!r}")
