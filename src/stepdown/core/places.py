"""Values made of tables, and which entry of a table is wrong: msgspec names the table alone."""

from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin

import msgspec

__all__ = ["made_of"]

T = TypeVar("T", bound=msgspec.Struct)


def made_of(found: Mapping[str, Any], kind: type[T]) -> T:
    """Return a value made of what was found.

    Raises:
        msgspec.ValidationError: it is no such value; the message has the place.
    """
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(_placed(str(error), found, kind)) from None


def _placed(problem: str, found: Mapping[str, Any], kind: type[msgspec.Struct]) -> str:
    for field in msgspec.structs.fields(kind):
        table = f"$.{field.encode_name}[...]"
        if get_origin(field.type) is dict and f"`{table}" in problem:
            for name, value in found[field.encode_name].items():
                try:
                    msgspec.convert(value, get_args(field.type)[1])
                except msgspec.ValidationError:
                    return problem.replace(table, f"$.{field.encode_name}.{name}")
    return problem
