"""The caller's own names of task and group, as a log's metadata carry them."""

from typing import Any, cast

from stepdown.core.calls import Request

__all__ = ["caller_hints"]


def caller_hints(metadata: Any, request: Request) -> tuple[str | None, str | None]:
    """Return (task, group) from a line's metadata, or else from the request's own."""
    given = cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}
    asked = request.metadata
    task = given.get("stepdown_task") or asked.get("stepdown_task")
    group = given.get("group", asked.get("group"))
    return str(task) if task else None, None if group is None else str(group)
