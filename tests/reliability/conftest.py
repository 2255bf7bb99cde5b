"""The gateway with everything around it, as in tests/serve."""

from tests.serve.conftest import ask, body, complete, raw, start, task_of, upstream, wait, world

__all__ = ["ask", "body", "complete", "raw", "start", "task_of", "upstream", "wait", "world"]
