"""How much in a minute: a sliding window in slots of a second."""

import math
from collections import deque

__all__ = ["Rate", "Slot"]

_WINDOW_S = 60
_GONE = -1


class Slot:
    """What was taken in one second; what turns out otherwise later is put right here."""

    __slots__ = ("amount", "second")

    def __init__(self, second: int, amount: int) -> None:
        self.second = second
        self.amount = amount


class Rate:
    """Counts so that what is taken in any 60 seconds stays within a limit.

    A slot is let go only when all of it is older than that, so a limit is never exceeded by the
    coarseness of the slots; there are at most 61 of them. Times are of the monotonic clock.
    """

    __slots__ = ("_slots", "_total")

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()
        self._total = 0

    def take(self, amount: int, most: int, now: float) -> float:
        """Take the amount if it fits: 0. Else the seconds until it may, infinite for never."""
        self._let_go(now)
        if self._total + amount > most:
            return self._wait_s(amount, most, now)
        slots, second = self._slots, int(now)
        if slots and slots[-1].second == second:
            slots[-1].amount += amount
        else:
            slots.append(Slot(second, amount))
        self._total += amount
        return 0.0

    def newest(self) -> Slot:
        """Return the slot that the last `take` went to."""
        return self._slots[-1]

    def put_right(self, slot: Slot, change: int) -> None:
        """Change what was taken then, if it still counts."""
        if slot.second != _GONE:
            slot.amount += change
            self._total += change

    def _let_go(self, now: float) -> None:
        slots, oldest = self._slots, int(now) - _WINDOW_S
        while slots and slots[0].second < oldest:
            slot = slots.popleft()
            self._total -= slot.amount
            slot.second = _GONE

    def _wait_s(self, amount: int, most: int, now: float) -> float:
        if amount > most:
            return math.inf
        left = self._total
        for slot in self._slots:
            left -= slot.amount
            if left + amount <= most:
                return slot.second + _WINDOW_S + 1 - now
        return math.inf
