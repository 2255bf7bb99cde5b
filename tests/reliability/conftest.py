"""The gateway with everything around it, and a workspace: as in tests/serve and tests/cli."""

from tests.cli.conftest import ran, space
from tests.serve.children import child
from tests.serve.conftest import ask, body, complete, raw, start, task_of, upstream, wait, world
from tests.store.conftest import server, url

__all__ = [
    "ask",
    "body",
    "child",
    "complete",
    "ran",
    "raw",
    "server",
    "space",
    "start",
    "task_of",
    "upstream",
    "url",
    "wait",
    "world",
]
