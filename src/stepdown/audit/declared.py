"""What a JSON Schema says of each leaf field: its closed set, and whether it has to be there."""

from collections.abc import Iterator
from typing import Any, cast

import msgspec

from stepdown.core.calls import OutputFormat, Toolset
from stepdown.core.records import escape

__all__ = ["Declared", "declared_fields"]

_MAX_DEPTH = 12
_MAX_FIELDS = 2_000


class Declared(msgspec.Struct, frozen=True):
    """One declared field; `closed` says that its values (or its items) are an enum or boolean."""

    closed: bool = False
    required: bool = False


def declared_fields(tools: Toolset, output_format: OutputFormat) -> dict[str, Declared]:
    """Return the declared leaf fields by JSON pointer, tool arguments under "/<tool>"."""
    roots = [("", output_format.schema or {})]
    roots += [(f"/{escape(tool.name)}", tool.parameters) for tool in tools.tools]
    fields: dict[str, Declared] = {}
    for prefix, schema in roots:
        for path, declared in _leaves(schema, schema, prefix, True, 0):
            fields[path] = declared
            # References may fan out without bound: a schema so large declares no narrow task.
            if len(fields) >= _MAX_FIELDS:
                return fields
    return fields


def _leaves(
    schema: Any, root: dict[str, Any], path: str, required: bool, depth: int
) -> Iterator[tuple[str, Declared]]:
    node = _resolved(schema, root)
    properties = node.get("properties")
    if isinstance(properties, dict) and properties and depth < _MAX_DEPTH:
        needed = node.get("required")
        names = cast("list[Any]", needed) if isinstance(needed, list) else []
        for name, child in cast("dict[str, Any]", properties).items():
            inner = f"{path}/{escape(name)}"
            yield from _leaves(child, root, inner, required and name in names, depth + 1)
    else:
        closed = _is_closed(node) or _is_closed(_resolved(node.get("items"), root))
        yield path, Declared(closed, required)


def _is_closed(node: dict[str, Any]) -> bool:
    kinds = node.get("type")
    kinds = cast("list[Any]", kinds) if isinstance(kinds, list) else [kinds]
    return "enum" in node or "const" in node or "boolean" in kinds


def _resolved(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    """Follow local references, and a choice between one schema and null."""
    for _ in range(_MAX_DEPTH):
        if not isinstance(schema, dict):
            return {}
        node = cast("dict[str, Any]", schema)
        options = node.get("anyOf") or node.get("oneOf") or node.get("allOf")
        if "$ref" in node:
            schema = _at(root, node["$ref"])
        elif isinstance(options, list):
            some = [o for o in cast("list[Any]", options) if o != {"type": "null"}]
            if len(some) != 1:
                return node
            schema = some[0]
        else:
            return node
    return {}


def _at(root: dict[str, Any], pointer: Any) -> Any:
    node: Any = root
    if not isinstance(pointer, str) or not pointer.startswith("#"):
        return None
    for token in pointer[1:].split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        node = cast("dict[str, Any]", node).get(key) if isinstance(node, dict) else None
    return node
