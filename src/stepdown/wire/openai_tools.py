"""OpenAI JSON → tools and output formats, remembered by raw bytes and named by their meaning."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

import msgspec

from stepdown.core.calls import NO_TOOLS, PLAIN_TEXT, OutputFormat, Tool, Toolset
from stepdown.core.fingerprint import canonical_json, fingerprint
from stepdown.errors import InputError

__all__ = [
    "MAX_NESTING",
    "UNREADABLE",
    "check_nesting",
    "dump_toolset",
    "not_a_request",
    "parse_output_format",
    "parse_toolset",
]

MAX_NESTING = 100
"""Levels of JSON inside tools, schemas and parameters; walking deeper ones could exhaust the stack
of whoever reads them later."""

UNREADABLE = (ValueError, OverflowError, RecursionError)
"""What decoding and checking untrusted JSON can raise."""

_HALF = ("data was truncated", "end of hex escape", "surrogate pair")
"""What the decoder says of half a character, at the end of a text or before it."""

_CACHED_ENTRIES = 256
_CACHED_BYTES = 65_536
_MOST_TOOLS = 4096  # far more than any API takes; what reads them takes its time


class _ToolBody(msgspec.Struct):
    type: str = "function"
    function: "_ToolBody | None" = None
    custom: "_ToolBody | None" = None
    name: str = ""
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Schema(msgspec.Struct):
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class _Format(msgspec.Struct):
    type: str
    json_schema: _Schema | None = None
    schema: dict[str, Any] | None = None


_objects = msgspec.json.Decoder(list[dict[str, Any]] | None)
_format = msgspec.json.Decoder(_Format | None)
_anything = msgspec.json.Decoder()


def parse_toolset(raw: bytes) -> Toolset:
    """Read a list of tools, or of legacy functions; the last few hundred are remembered.

    A tool that is not a function (web_search, a custom one) keeps its whole object in `parameters`
    and its type in `kind`. The hash changes with any change of meaning, and with nothing else:
    order of tools, key order and white space don't count.

    Raises:
        InputError: it is not such a list.
    """
    try:
        return _cached_toolset(raw) if len(raw) <= _CACHED_BYTES else _toolset(raw)
    except UNREADABLE as problem:
        raise not_a_request(problem, "tools") from problem


def parse_output_format(raw: bytes) -> OutputFormat:
    """Read a `response_format`; the last few hundred are remembered.

    The hash covers the kind and the schema, not the schema's name; plain text and null have "".

    Raises:
        InputError: it is not one.
    """
    try:
        return _cached_format(raw) if len(raw) <= _CACHED_BYTES else _output_format(raw)
    except UNREADABLE as problem:
        raise not_a_request(problem, "response_format") from problem


def dump_toolset(toolset: Toolset) -> list[dict[str, Any]]:
    """Return the tools as OpenAI tool objects, sorted by name; fields left at default are left out.

    `parse_toolset` of their JSON gives the same toolset back.
    """
    return [_tool_object(tool) for tool in toolset.tools]


def not_a_request(problem: object, where: str = "") -> InputError:
    """Return the error that says why something, in its field `where`, is no chat request."""
    if isinstance(problem, RecursionError):
        problem = f"it is nested deeper than {MAX_NESTING} levels"
    said = str(problem)
    if any(sign in said for sign in _HALF):
        problem = "it ends too early, or has half a character (one of \\ud800 to \\udfff alone)"
    place = f"in `{where}`, " if where else ""
    return InputError(
        f"This is not a chat-completions request: {place}{problem}; "
        "send a JSON object with `model` and a list of `messages`.",
        where or None,
    )


def check_nesting(data: bytes, value: Any) -> None:
    """Check that `value`, decoded from `data`, can be walked by recursion.

    Raises:
        ValueError: it is nested deeper than MAX_NESTING levels.
    """
    if data.count(b"[") + data.count(b"{") > MAX_NESTING and _too_deep(value):
        raise ValueError(f"JSON is nested deeper than {MAX_NESTING} levels")


def _too_deep(value: Any) -> bool:
    level: Sequence[Any] = (value,)
    for _ in range(MAX_NESTING):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, Mapping):
        return tuple(cast("Mapping[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _toolset(raw: bytes) -> Toolset:
    objects = _objects.decode(raw)
    if not objects:
        return NO_TOOLS
    if len(objects) > _MOST_TOOLS:
        raise ValueError(f"more than {_MOST_TOOLS:,} tools")
    check_nesting(raw, objects)
    entries = sorted(map(_tool_entry, objects), key=_by_name)
    return Toolset(
        tuple(tool for tool, _ in entries), fingerprint([meaning for _, meaning in entries])
    )


def _by_name(entry: tuple[Tool, tuple[Any, ...]]) -> tuple[str, bytes]:
    return entry[0].name, canonical_json(entry[1])


def _tool_entry(sent: dict[str, Any]) -> tuple[Tool, tuple[Any, ...]]:
    """Return a tool, and what of it counts for the hash."""
    body = msgspec.convert(sent, _ToolBody)
    if body.type != "function":
        name = body.name or (body.custom.name if body.custom else "") or body.type
        tool = Tool(name, body.description or "", sent, kind=body.type)
        return tool, (name, tool.kind, sent)
    function = body.function or body
    if not function.name:
        raise ValueError("a function has no `name`")
    tool = Tool(
        function.name, function.description or "", function.parameters or {}, bool(function.strict)
    )
    return tool, (tool.name, tool.description, tool.parameters, tool.strict)


def _tool_object(tool: Tool) -> dict[str, Any]:
    if tool.kind != "function":
        return tool.parameters
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _output_format(raw: bytes) -> OutputFormat:
    wanted = _format.decode(raw)
    if wanted is None or wanted.type == "text":
        return PLAIN_TEXT
    check_nesting(raw, _anything.decode(raw))
    inner = wanted.json_schema or _Schema(wanted.schema)
    if wanted.type == "json_schema" and inner.schema is None:
        raise ValueError("`json_schema` has no `schema`")
    known = wanted.type in ("json_object", "json_schema")
    meaning = inner.schema if known else _anything.decode(raw)
    return OutputFormat(
        wanted.type, inner.schema, bool(inner.strict), fingerprint([wanted.type, meaning])
    )


_cached_toolset = lru_cache(_CACHED_ENTRIES)(_toolset)
_cached_format = lru_cache(_CACHED_ENTRIES)(_output_format)
