"""The JSON Schema of the values that a field had in training, and the grammar of one value.

Strings are bounded, keys are required in one order where they always were there, and nothing may be
added: what the grammar allows has a bounded length and one spelling of its blanks.
"""

from collections.abc import Sequence
from typing import Any, cast

from stepdown.core.fingerprint import canonical_json

__all__ = ["grammar_of", "schema_of"]

_MOST_CHARS = 4_000
_MOST_ITEMS = 64
_BLANKS = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return {str: "string", list: "array", dict: "object"}[type(value)]


def schema_of(values: Sequence[Any]) -> dict[str, Any]:
    """Return the schema that fits all the values, and little else."""
    types = sorted({_type(value) for value in values}) or ["null"]
    if "number" in types and "integer" in types:
        types.remove("integer")
    schemas = [_one(kind, [v for v in values if _fits(kind, v)]) for kind in types]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _fits(kind: str, value: Any) -> bool:
    found = _type(value)
    return found == kind or (kind == "number" and found == "integer")


def _one(kind: str, values: Sequence[Any]) -> dict[str, Any]:
    if kind == "string":
        return {"type": "string", "maxLength": _MOST_CHARS}
    if kind == "array":
        items = [item for value in values for item in cast("list[Any]", value)]
        made: dict[str, Any] = {"type": "array", "maxItems": _MOST_ITEMS}
        return made | ({"items": schema_of(items)} if items else {"maxItems": 0})
    if kind == "object":
        return _object([cast("dict[str, Any]", value) for value in values])
    return {"type": kind}


def _object(values: Sequence[dict[str, Any]]) -> dict[str, Any]:
    keys = list(dict.fromkeys(key for value in values for key in value))
    return {
        "type": "object",
        "properties": {key: schema_of([v[key] for v in values if key in v]) for key in keys},
        "required": [key for key in keys if all(key in value for value in values)],
        "additionalProperties": False,
    }


def grammar_of(schema: dict[str, Any]) -> str:
    """Return the llguidance grammar of a slot's text: a space, the value, the end of the line."""
    text = canonical_json(schema | {"x-guidance": _BLANKS}).decode()
    return f'start: " " value "\\n"\nvalue: %json {text}\n'
