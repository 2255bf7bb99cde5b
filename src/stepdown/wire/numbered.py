"""Lists and objects that were flattened into dotted names: `messages.0.message.role` → a list."""

from collections.abc import Mapping
from typing import Any

__all__ = ["numbered"]

_MOST = 10_000


def numbered(attributes: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """Return the objects under `prefix.0`, `prefix.1`, …, in order, each nested as its names say.

    Inner lists stay flat under the names that they have: `numbered(object, "tool_calls")` gives
    them. A number above ten thousand is none of a list that was written.
    """
    head = f"{prefix}."
    found: dict[int, dict[str, Any]] = {}
    for name, value in attributes.items():
        if not name.startswith(head):
            continue
        index, _, rest = name[len(head) :].partition(".")
        if index.isdecimal() and len(index) < 6 and int(index) < _MOST and rest:
            found.setdefault(int(index), {})[rest] = value
    return [found[index] for index in sorted(found)]
