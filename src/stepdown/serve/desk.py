"""The desk: what a gateway is given for its callers' keys, and for the money that they spend."""

from collections.abc import Callable
from typing import Never

import msgspec

from stepdown.core.calls import Usage
from stepdown.core.keys import KeyRing, NewKey, VirtualKey
from stepdown.core.ports import Price, Purse
from stepdown.errors import UsageError

__all__ = ["Desk", "LoadKeys"]

LoadKeys = Callable[[int | None], KeyRing | None]
"""load(generation) → the virtual keys, or None where there are none newer than that generation."""


def _no_keys(generation: int | None) -> KeyRing | None:
    return KeyRing() if generation is None else None


def _no_price(tier: str, model: str, usage: Usage) -> int | None:
    return None


def _no_desk(*given: object) -> Never:
    raise UsageError("This gateway has no workspace to keep keys in; use `stepdown keys`.")


class Desk(msgspec.Struct, frozen=True):
    """What stands behind keys: where they are read, what calls cost, and who keeps count of it.

    `add` makes a key and `revoke` revokes one by its name or id, for good, in the same place.
    """

    keys: LoadKeys = _no_keys
    price: Price = _no_price
    purse: Purse | None = None
    add: Callable[[NewKey], tuple[str, VirtualKey]] = _no_desk
    revoke: Callable[[str], VirtualKey] = _no_desk
