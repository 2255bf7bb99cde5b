"""Trying again: which answers of an upstream are worth it, when, and how often in all.

Clients try again themselves, so every try of ours multiplies theirs: a budget keeps an upstream in
trouble from being asked much more often than before.
"""

import random
from collections.abc import Mapping

from stepdown.wire.retry_after import PASSING, told_s

__all__ = ["RetryBudget", "pause_s"]

_FIRST_S = 0.25
_LONGEST_S = 2.0
_MOST_SAVED = 100.0


class RetryBudget:
    """Leave to try again: for a `share` of all requests, and for the first few beside.

    Every request saves up `share` of a retry (Finagle's retry budget), so that retries never are
    more than `least` + share × requests; what is saved in quiet times is bounded.
    """

    def __init__(self, share: float = 0.2, least: float = 3.0) -> None:
        self._share = share
        self._saved = least

    def asked(self) -> None:
        """Count a request."""
        self._saved = min(self._saved + self._share, _MOST_SAVED)

    def take(self) -> bool:
        """Take leave for one retry, or hear that there is none."""
        # A hair less than one: five times a fifth is not quite one.
        if self._saved < 1 - 1e-9:
            return False
        self._saved -= 1
        return True


def pause_s(status: int, headers: Mapping[str, str], attempt: int) -> float | None:
    """Return the seconds to wait before another try, or None where none should be made.

    The upstream's own word counts: `x-should-retry`, `retry-after-ms` and `retry-after` (seconds or
    a date). One who says to wait for more than two seconds is better asked by a later request.
    """
    if status not in PASSING or headers.get("x-should-retry", "").lower() == "false":
        return None
    told = told_s(headers)
    if told is None:
        return _FIRST_S * 2**attempt * random.uniform(0.5, 1.0)
    return max(told, 0.0) if told <= _LONGEST_S else None
