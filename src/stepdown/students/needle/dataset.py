"""A task's examples in Needle's own form: JSON Lines of a query, the tools and the calls."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import Tool
from stepdown.core.datasets import Example
from stepdown.core.records import tool_calls
from stepdown.core.tasks import Task, input_text
from stepdown.students.generative.schemas import schema_of

__all__ = ["lines_of", "tools_of"]


def tools_of(task: Task, examples: Sequence[Example]) -> list[dict[str, Any]]:
    """Return the task's tools as flat schemas; where the calls declared none, as they were used."""
    declared = msgspec.json.decode(task.tools_json, type=list[Tool])
    if declared:
        return [
            {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            for tool in declared
        ]
    used: dict[str, list[Any]] = {}
    for example in examples:
        for name, arguments in tool_calls(example.record) if example.known else ():
            used.setdefault(name, []).append(arguments)
    return [
        {"name": name, "description": "", "parameters": schema_of(arguments)}
        for name, arguments in sorted(used.items())
    ]


def lines_of(tools: Sequence[Mapping[str, Any]], examples: Sequence[Example]) -> bytes:
    """Return one line an example: `query`, `tools` and `answers` ([] where no tool is called)."""
    lines: list[str] = []
    for example in examples:
        if not example.known:
            continue
        answers = [{"name": n, "arguments": own} for n, own in tool_calls(example.record)]
        # The library reads its file as UTF-8, in which a lone surrogate has no place.
        query = input_text(example.input).encode("utf-8", "replace").decode("utf-8")
        row = {"query": query, "tools": list(tools), "answers": answers}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    return "".join(lines).encode("utf-8", "replace")
