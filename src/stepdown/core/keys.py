"""Virtual keys: who may call a gateway, and how much. Only a key's SHA-256 is ever kept."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

__all__ = [
    "NANODOLLARS",
    "Allowance",
    "KeyRing",
    "NewKey",
    "Period",
    "VirtualKey",
    "digest_of",
    "ends_in_s",
    "is_virtual",
    "shown_key",
    "window_of",
]

NANODOLLARS = 10**9
"""Nanodollars in one US dollar: money is counted in whole ones, so sums are exact."""

Period = Literal["hour", "day", "month", "total"]

_FORMS: dict[Period, str] = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}
_VIRTUAL = re.compile(rb"(?:[Bb]earer +)?sd-[0-9a-f]{12}[-_]")


class Allowance(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one key may use; None is without a limit.

    `requests_per_minute` counts every call, `tokens_per_minute` and `usd` (of a `period`) what goes
    to a model behind the gateway, `escalations_per_minute` what a student left or was not asked.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    escalations_per_minute: int | None = None
    usd: float | None = None
    period: Period = "total"

    @property
    def nanodollars(self) -> int | None:
        """The money of one period, in whole nanodollars."""
        return None if self.usd is None else round(self.usd * NANODOLLARS)


class VirtualKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """One key: `id` is public and part of it, `digest` the SHA-256 of the whole of it, in hex.

    Times are seconds since the epoch. With `tasks` (names) it is for calls of these tasks alone.
    """

    id: str
    name: str
    digest: str
    created: float
    expires: float | None = None
    revoked: float | None = None
    tasks: tuple[str, ...] = ()
    allowance: Allowance = Allowance()

    def state(self, now: float) -> Literal["active", "revoked", "expired"]:
        """Return whether it may be used at `now`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else "active"


class NewKey(msgspec.Struct, frozen=True):
    """What a key is to be, before it is made."""

    name: str
    allowance: Allowance = Allowance()
    tasks: tuple[str, ...] = ()
    expires: float | None = None


class KeyRing(msgspec.Struct, frozen=True):
    """Every key that was made; each change is a new generation."""

    generation: int = 0
    keys: tuple[VirtualKey, ...] = ()


def digest_of(key: bytes) -> str:
    """Return what is kept of a key."""
    return hashlib.sha256(key).hexdigest()


def is_virtual(value: bytes) -> bool:
    """Say whether a header's value has the form of a virtual key: it must not leave the gateway."""
    return _VIRTUAL.match(value) is not None


def shown_key(key: VirtualKey, now: float) -> dict[str, Any]:
    """Return what may be told of a key: all but its hash."""
    told = msgspec.to_builtins(key)
    del told["digest"]
    return {**told, "state": key.state(now)}


def window_of(period: Period, now: float) -> str:
    """Return the name of the window that a time lies in; later windows have greater names."""
    form = _FORMS.get(period)
    return period if form is None else datetime.fromtimestamp(now, UTC).strftime(form)


def ends_in_s(period: Period, now: float) -> float | None:
    """Return the seconds until the window ends; None: never."""
    at = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)
    if period == "hour":
        end = at + timedelta(hours=1)
    elif period == "day":
        end = at.replace(hour=0) + timedelta(days=1)
    elif period == "month":
        end = (at.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1)
    else:
        return None
    return end.timestamp() - now
