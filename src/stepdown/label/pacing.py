"""How fast a teacher is asked: what it and the budget bear, found by trying.

The number of questions under way grows by one a round and is halved when the teacher says that it
is too much; a `Retry-After` holds all of them back. The first question goes alone: a wrong key or a
dear answer shows before many are under way.
"""

import asyncio
import random
import time
from collections.abc import Callable

__all__ = ["Pace"]

_LONGEST_PAUSE_S = 60.0


class Pace:
    """The gate before the teacher, with room for `most` questions at once."""

    def __init__(
        self,
        most: int,
        per_minute: tuple[float | None, float | None] = (None, None),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`per_minute` limits questions and tokens."""
        self._most = most
        self._rates = [_Bucket(rate, now) for rate in per_minute]
        self._now = now
        self._allowed = 1.0
        self._under_way = 0
        self._round = self._pauses = 0
        self._until = 0.0
        self._closed = False
        self._moved = asyncio.Event()

    @property
    def allowed(self) -> int:
        """How many questions may be under way."""
        return int(self._allowed)

    def close(self) -> None:
        """Let nobody in any more."""
        self._closed = True
        self._moved.set()

    async def enter(self, tokens: int, reserve: Callable[[], int | None]) -> tuple[int, int] | None:
        """Wait for a place and for the money; returns the round and what was reserved.

        `reserve` gives None where there is not enough; while others are under way some may come
        back. None: there is no more, or the gate is closed.
        """
        while not self._closed:
            wait = self._wait(tokens)
            if wait <= 0 and self._under_way < int(self._allowed):
                reserved = reserve()
                if reserved is not None:
                    for bucket, amount in zip(self._rates, (1, tokens), strict=True):
                        bucket.take(amount)
                    self._under_way += 1
                    return self._round, reserved
                if not self._under_way:
                    return None
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), wait if wait > 0 else None)
            except TimeoutError:
                continue
        return None

    def leave(self) -> None:
        """Make room for the next."""
        self._under_way -= 1
        self._moved.set()

    def answered(self) -> None:
        """An answer came: a little more is tried, and all that is allowed after the first."""
        first = self._round == 0 and self._allowed < 2
        self._allowed = self._most if first else self._allowed + 1 / self._allowed
        self._allowed = min(self._allowed, float(self._most))
        self._pauses = 0

    def too_much(self, entered: int, retry_after: float | None) -> None:
        """The teacher is overloaded: halve, once a round, and hold back all that was not sent."""
        if retry_after is not None:
            self._until = max(self._until, self._now() + retry_after)
        if entered < self._round:
            return  # it was sent before the last cut, and says nothing of what followed
        self._round += 1
        self._allowed = max(1.0, self._allowed / 2)
        if retry_after is None:
            pause = min(_LONGEST_PAUSE_S, 0.5 * 2**self._pauses) * random.uniform(0.75, 1.25)
            self._until = max(self._until, self._now() + pause)
        self._pauses += 1

    def _wait(self, tokens: int) -> float:
        amounts = (1, tokens)
        waits = [bucket.wait(amount) for bucket, amount in zip(self._rates, amounts, strict=True)]
        return max(self._until - self._now(), *waits)


class _Bucket:
    """So much a minute, and at most ten seconds' worth of it at once."""

    def __init__(self, per_minute: float | None, now: Callable[[], float]) -> None:
        self._rate = None if per_minute is None else per_minute / 60.0
        self._now = now
        self._free = now() - 10.0

    def wait(self, amount: float) -> float:
        return self._free - self._now() if self._rate is not None and amount else 0.0

    def take(self, amount: float) -> None:
        if self._rate is not None:
            self._free = max(self._free, self._now() - 10.0) + amount / self._rate
