"""Does an answer have the shape that the request demands? The last check before it goes out.

A student assembles answers that fit its schema; this holds it to that, so that a broken student is
an escalation, and not a caller's parse error. A schema that can't be compiled fits nothing.
"""

from collections.abc import Callable
from typing import Any

import jsonschema_rs
import msgspec

from stepdown.core.calls import Answer, Request, ToolCall

__all__ = ["Shapes"]

_KEPT = 256


class Shapes:
    """Checks answers against schemas, each compiled once; nothing outside is ever fetched."""

    def __init__(self) -> None:
        self._compiled: dict[str, Callable[[Any], bool]] = {}

    def misfit(self, request: Request, answer: Answer) -> str | None:
        """Say what is wrong with the shape of `answer`, or None when it fits."""
        for call in answer.tool_calls:
            found = self._call_misfit(request, call)
            if found is not None:
                return found
        if answer.tool_calls:
            return None
        if not isinstance(answer.text, str):
            return "The student's answer has neither text nor tool calls."
        return self._text_misfit(request, answer.text)

    def _text_misfit(self, request: Request, text: str) -> str | None:
        wanted = request.output_format
        if wanted.kind == "text":
            return None
        try:
            value = msgspec.json.decode(text)
        except (ValueError, RecursionError):
            return "The student's answer is not JSON."
        if wanted.schema is None:
            return None if isinstance(value, dict) else "The student's answer is no JSON object."
        if not self._fits(wanted.hash, wanted.schema, value):
            return "The student's answer does not fit the response schema."
        return None

    def _call_misfit(self, request: Request, call: ToolCall) -> str | None:
        tool = request.tools.get(call.name)
        if tool is None:
            return "The student calls a tool that the request does not have."
        try:
            value = msgspec.json.decode(call.arguments)
        except (ValueError, RecursionError, TypeError):
            return "The student's tool arguments are not JSON."
        key = f"{request.tools.hash}/{tool.name}"
        if not isinstance(value, dict) or not self._fits(key, tool.parameters, value):
            return "The student's tool arguments do not fit the tool's schema."
        return None

    def _fits(self, key: str, schema: dict[str, Any], value: Any) -> bool:
        check = self._compiled.get(key)
        if check is None:
            if len(self._compiled) >= _KEPT:
                self._compiled.clear()
            check = self._compiled[key] = _compile(schema)
        return check(value)


def _compile(schema: dict[str, Any]) -> Callable[[Any], bool]:
    try:
        return jsonschema_rs.validator_for(schema, offline=True).is_valid
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return lambda value: False
