"""Points in time as logs write them → seconds since the epoch."""

import math
from datetime import UTC, datetime
from typing import Any

__all__ = ["parse_time"]

_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (math.inf, 1e9))
"""Below each bound a number counts seconds, milliseconds, microseconds, nanoseconds: as seconds
1e11 is the year 5138, as milliseconds it is 1973."""


def parse_time(value: Any) -> float | None:
    """Return seconds since the epoch (UTC), or None for what is no time.

    ISO 8601 is read with Z, UTC, an offset, or neither (then UTC); numbers, also in strings, count
    seconds, milliseconds, microseconds or nanoseconds, by their size.
    """
    if isinstance(value, str):
        return _parse_text(value.strip())
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return _from_number(value)


def _from_number(value: float) -> float | None:
    if not 0 < value < 1e20:
        return None
    return next(value / unit for bound, unit in _UNITS if value < bound)


def _parse_text(text: str) -> float | None:
    if text.isdecimal():
        return _from_number(float(text))
    for zone in (" UTC", " GMT"):
        text = text.removesuffix(zone)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is not None and len(text) >= len("2026-11-23"):
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = aware.timestamp()
        return seconds if seconds > 0 else None
    try:
        return _from_number(float(text))
    except ValueError:
        return None
