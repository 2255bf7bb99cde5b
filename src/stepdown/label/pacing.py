"""How fast a teacher is asked: what it and the budget bear, found by trying.

The number of questions under way grows by one a round and is halved when the teacher says that it
is too much; a `Retry-After` holds all of them back. The first question goes alone: a wrong key or a
dear answer shows before many are under way. A few more than may be under way are let in before it
is their turn, to be recorded meanwhile: so nobody's turn passes with waiting for a disk.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable

from stepdown.core.calls import DAY_S
from stepdown.label.trouble import HOPELESS, PATIENCE_S, Trouble, hopeless

__all__ = ["LONGEST_WAIT_S", "Pace", "Patience", "with_those_ahead"]

LONGEST_WAIT_S = 600.0
"""One who says to wait for longer is better asked by a later sitting."""

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0
_AHEAD = 8


def with_those_ahead(allowed: int) -> int:
    """Return how many may be recorded where so many may be under way: an eighth more.

    So no more are ever without a record of what became of them: whoever enters is recorded behind
    the answer of who left.
    """
    return allowed + allowed // _AHEAD


class Pace:
    """The gate before the teacher, with room for `most` questions at once.

    A question enters, is recorded, goes out when it is its turn (`turn`), and leaves.
    """

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
        self._inside = self._under_way = 0
        self._round = self._pauses = 0
        self._until = 0.0
        self._closed = False
        self._moved = asyncio.Event()
        self._turns: deque[asyncio.Future[None]] = deque()

    @property
    def allowed(self) -> int:
        """How many questions may be under way."""
        return int(self._allowed)

    def close(self) -> None:
        """Let nobody in or out any more."""
        self._closed = True
        self._moved.set()
        self._wake(len(self._turns))

    async def enter(self, tokens: int, reserve: Callable[[], int | None]) -> int | None:
        """Wait for a place and for the money; returns what was reserved.

        `reserve` gives None where there is not enough; while others are inside some may come
        back. None: there is no more, or the gate is closed.
        """
        while not self._closed:
            wait = self._wait(tokens)
            if wait <= 0 and self._inside < with_those_ahead(self.allowed):
                reserved = reserve()
                if reserved is not None:
                    self._inside += 1
                    return reserved
                if not self._inside:
                    return None
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), wait if wait > 0 else None)
            except TimeoutError:
                continue
        return None

    async def turn(self, tokens: int) -> int | None:
        """Wait until the question may go out; returns the round, None where none may any more."""
        while not self._closed:
            wait = self._wait(tokens)
            if wait <= 0 and self._under_way < self.allowed:
                for bucket, amount in zip(self._rates, (1, tokens), strict=True):
                    bucket.take(amount)
                self._under_way += 1
                return self._round
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._turns.append(turn)
            # Who leaves gives the turn on; where there is room, it is the time that brings it.
            await asyncio.wait((turn,), timeout=wait if wait > 0 else None)
            turn.cancel()
        return None

    def leave(self, sent: bool = True) -> None:
        """Make room for the next; `sent`: the question had its turn."""
        self._inside -= 1
        self._moved.set()
        if sent:
            self._under_way -= 1
            self._wake(self.allowed - self._under_way)

    def _wake(self, most: int) -> None:
        while self._turns and most > 0:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                most -= 1

    def answered(self) -> None:
        """An answer came: a little more is tried, and all that is allowed after the first."""
        first = self._round == 0 and self._allowed < 2
        self._allowed = self._most if first else self._allowed + 1 / self._allowed
        self._allowed = min(self._allowed, float(self._most))
        self._pauses = 0

    def too_much(self, entered: int, retry_after: float | None) -> None:
        """The teacher can't: halve, once a round, and hold back all that was not sent.

        A `retry_after` of no time says nothing of when it can.
        """
        if retry_after:
            self._until = max(self._until, self._now() + retry_after)
        if entered < self._round:
            return  # it was sent before the last cut, and says nothing of what followed
        self._round += 1
        self._allowed = max(1.0, self._allowed / 2)
        if not retry_after:
            pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self._pauses) * random.uniform(
                0.75, 1.25
            )
            self._until = max(self._until, self._now() + pause)
        self._pauses += 1

    def _wait(self, tokens: int) -> float:
        amounts = (1, tokens)
        waits = [bucket.wait(amount) for bucket, amount in zip(self._rates, amounts, strict=True)]
        return max(self._until - self._now(), *waits)


class Patience:
    """How one is asked who does not answer: more slowly, and in the end no more."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._in_vain = 0
        self._since = time.monotonic()  # the last answer, or the end of a wait that it asked for

    def answered(self) -> None:
        """There is an answer."""
        self._in_vain, self._since = 0, time.monotonic()
        self._pace.answered()

    def tried(self, found: Trouble, entered: int) -> str:
        """A try of the round `entered` brought none; returns why to ask no more, "" to go on."""
        wait = found.retry_after or 0.0
        if found.ends:
            return found.ends
        if wait > LONGEST_WAIT_S:
            told = f"{wait:,.0f} s" if wait <= DAY_S else "more than a day"
            return f"The teacher asks to wait {told}; type the same command then."
        if not found.slower:
            return ""
        self._pace.too_much(entered, found.retry_after)
        now = time.monotonic()
        waited = now - self._since
        if wait:
            self._since = max(self._since, now + wait)
        if waited <= PATIENCE_S:
            return ""
        return hopeless(found, f"No answer came for {PATIENCE_S:.0f} s")

    def left(self, found: Trouble) -> str:
        """A question is left without an answer; returns why to ask no more, "" to go on."""
        self._in_vain += 1
        return hopeless(found) if self._in_vain >= HOPELESS else ""


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
