"""When to ask an API again: by the statuses and headers that the makers' own clients obey."""

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time

__all__ = ["PASSING", "TIMED_OUT", "told_s"]

TIMED_OUT = frozenset((504, 524))
"""Somebody on the way gave up waiting: the model may have answered all the same, and bill it."""

PASSING = frozenset((408, 409, 425, 429, 500, 502, 503, 529)) | TIMED_OUT
"""Statuses that may be others in a moment; all but those of TIMED_OUT cost nothing."""


def told_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait by `retry-after-ms` or `retry-after` (seconds or a date).

    Less than 0 is a date that has passed; None: it does not say, or nothing that can be read.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) * unit
            if math.isfinite(seconds):
                return seconds
        except ValueError:
            pass
        try:
            return parsedate_to_datetime(text).timestamp() - time()
        except (ValueError, OverflowError):  # a year that no clock has
            continue
    return None
