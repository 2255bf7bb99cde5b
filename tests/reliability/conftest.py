"""The gateway with everything around it, and a workspace: as in tests/serve and tests/cli."""

from tests.cli.conftest import ran, space
from tests.serve.conftest import ask, body, complete, raw, start, task_of, upstream, wait, world

__all__ = [
    "ask",
    "body",
    "complete",
    "ran",
    "raw",
    "space",
    "start",
    "task_of",
    "upstream",
    "wait",
    "world",
]
