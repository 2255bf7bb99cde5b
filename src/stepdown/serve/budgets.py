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

_CHUNKS = (
    50  # a cap is leased in this many parts: what a killed gateway held is at most one of them
)
_EMPTY_S = 1.0
_HOUR_S = 3600


class Budget:
    """The money of one account, as far as this gateway has leased it.

    `spent` is what was settled in the present window, `reserved` what is under way. A clock that
    goes back does not bring an old window back.
    """

    def __init__(self, account: str, purse: Purse, thread: Executor) -> None:
        self.account = account
        self.window = ""
        self.spent = self.reserved = 0
        self.used_at = 0.0
        self._purse = purse
        self._thread = thread
        self._entered: tuple[float, Period] | None = None
        self._left = 0
        self._empty_until = 0.0
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
        while self._left < amount:
            if self._leasing is None and time.monotonic() < self._empty_until:
                return False
            await asyncio.shield(self._leasing or self._begin_lease(amount, cap))
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
        elif reserved != spent:
            self._later(window, spent - reserved)

    def give_back(self) -> None:
        """Return to the purse what is leased and not reserved, or tell it what is overspent."""
        left, self._left = self._left, 0
        if left:
            self._later(self.window, -left)

    def _enter(self, window: str) -> None:
        if window != self.window:
            self.give_back()
            self.window = window
            self.spent = self.reserved = 0
            self._empty_until = 0.0

    def _begin_lease(self, amount: int, cap: int) -> "asyncio.Task[None]":
        """Lease in a task of its own: a request that goes away meanwhile loses none of it."""
        self._leasing = asyncio.get_running_loop().create_task(self._lease(amount, cap))
        self._leasing.add_done_callback(_seen)
        return self._leasing

    async def _lease(self, amount: int, cap: int) -> None:
        window, wanted = self.window, max(amount - self._left, cap // _CHUNKS)
        loop = asyncio.get_running_loop()
        try:
            granted = await loop.run_in_executor(
                self._thread, self._purse.lease, self.account, window, wanted, cap
            )
        finally:
            # Before the task is done: who finds it done would wait for nothing, and again.
            self._leasing = None
        if window != self.window:
            self._later(window, -granted)
            return
        self._left += granted
        if granted < wanted:
            self._empty_until = time.monotonic() + _EMPTY_S

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
