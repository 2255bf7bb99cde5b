"""Money under a cap: leased from the purse in chunks, reserved by the request, settled after it.

Reserving from what is leased is a subtraction on the event loop. The purse, which may wait for a
disk, is asked on a thread of its own, once for many requests.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Executor

from stepdown.core.keys import Period, window_of
from stepdown.core.ports import Purse
from stepdown.errors import StepdownError

__all__ = ["Budget"]

log = logging.getLogger("stepdown.serve")

_PARTS = 50
"""A cap is leased in so many parts: what a killed gateway held is at most one of them."""
_SHORT_S = 1.0
_HOUR_S = 3600


class Budget:
    """The money of one account, as far as this gateway has leased it.

    `spent` is what was settled in the present window, `reserved` what is under way. What is leased
    beside that is never more than one part of the cap, once nobody waits for it. A clock that goes
    back does not bring an old window back.
    """

    def __init__(self, account: str, purse: Purse, thread: Executor) -> None:
        self.account = account
        self.window = ""
        self.spent = self.reserved = 0
        self.used_at = 0.0
        self._purse = purse
        self._thread = thread
        self._entered: tuple[float, Period] | None = None
        self._left = self._part = self._waiting = 0
        self._short, self._short_until = 0, 0.0
        self._leasing: asyncio.Task[None] | None = None

    async def reserve(self, amount: int, cap: int, period: Period) -> bool:
        """Set `amount` aside for a request, if the cap allows it.

        Raises:
            StepdownError: the purse fails; nothing is set aside.
        """
        now = time.time()
        if (moment := (now // _HOUR_S, period)) != self._entered:
            # Every window begins with an hour.
            same = self._entered is not None and self._entered[1] == period
            self._entered = moment
            window = window_of(period, now)
            self._enter(max(self.window, window) if same else window)
        self._part = cap // _PARTS
        while (lacks := amount - self._left) > 0:
            short = lacks >= self._short and time.monotonic() < self._short_until
            if self._leasing is None and short:
                self._give_back_more_than(self._part)
                return False
            self._waiting += 1
            try:
                await asyncio.shield(self._leasing or self._begin_lease(lacks, cap))
            finally:
                self._waiting -= 1
        self._left -= amount
        self.reserved += amount
        self.used_at = time.monotonic()
        return True

    def settle(self, window: str, reserved: int, spent: int) -> None:
        """Put what a request really cost in the place of what it had reserved."""
        if window == self.window:
            self.reserved -= reserved
            self.spent += spent
            self._left += reserved - spent
            self._give_back_more_than(self._part)
        elif reserved != spent:
            self._later(window, spent - reserved)

    def give_back(self) -> None:
        """Return to the purse what is leased and not reserved, or tell it what is overspent."""
        left, self._left = self._left, 0
        if left:
            self._short_until = 0.0
            self._later(self.window, -left)

    def _give_back_more_than(self, most: int) -> None:
        """Return what another gateway may want, unless somebody here waits; half of it stays, so
        that not every request asks the purse."""
        if self._left > most and not self._waiting:
            self._short_until = 0.0
            self._later(self.window, most // 2 - self._left)
            self._left = most // 2

    def _enter(self, window: str) -> None:
        if window != self.window:
            self.give_back()
            self.window = window
            self.spent = self.reserved = 0
            self._short_until = 0.0

    def _begin_lease(self, lacks: int, cap: int) -> "asyncio.Task[None]":
        """Lease in a task of its own: a request that goes away meanwhile loses none of it."""
        self._leasing = asyncio.get_running_loop().create_task(self._lease(lacks, cap))
        self._leasing.add_done_callback(_seen)
        return self._leasing

    async def _lease(self, lacks: int, cap: int) -> None:
        window, wanted = self.window, max(lacks, cap // _PARTS)
        loop = asyncio.get_running_loop()
        try:
            granted = await loop.run_in_executor(
                self._thread, self._purse.lease, self.account, window, wanted, cap, lacks
            )
        finally:
            # Before the task is done: who finds it done would wait for nothing, and again.
            self._leasing = None
        if window != self.window:
            self._later(window, -granted)
            return
        self._left += granted
        if granted < wanted:
            # Less than was lacking is not to be had, or after a part of it nothing.
            self._short = 0 if granted else lacks
            self._short_until = time.monotonic() + _SHORT_S
        if not self._waiting:
            self._give_back_more_than(self._part)

    def _later(self, window: str, amount: int) -> None:
        if amount:
            self._thread.submit(_quietly, self._purse.settle, self.account, window, amount)


def _seen(done: "asyncio.Task[None]") -> None:
    """Look at a failure that its requests may have left before they were told."""
    if not done.cancelled():
        done.exception()


def _quietly(
    settle: Callable[[str, str, int], None], account: str, window: str, amount: int
) -> None:
    try:
        settle(account, window, amount)
    except StepdownError as problem:
        # What can't be given back stays spent: a cap is reached early rather than late.
        log.warning("Money could not be given back: %s", problem)
