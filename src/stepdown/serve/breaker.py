"""A circuit breaker: after several failures in a row, an upstream is left alone for a while."""

import math
import time
from collections.abc import Callable

__all__ = ["Breaker"]


class Breaker:
    """Opens after `failures` in a row, for `pause_s` × the times it opened, at most `longest_s`.

    When the pause is over one probe goes through; its success closes the breaker, its failure opens
    it again, for longer. Answers that are failures open it only where there was no good one for
    `storm_s`: one that fails half of what it is asked is still better than none. `clock` is
    monotonic, in seconds.
    """

    def __init__(
        self,
        failures: int = 5,
        pause_s: float = 30.0,
        longest_s: float = 300.0,
        storm_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._pause_s = pause_s
        self._longest_s = longest_s
        self._clock = clock
        self._storm_s = storm_s
        self._good_at = -math.inf
        self._in_a_row = 0
        self._opened = 0
        self._open_until: float | None = None
        self._probing = False
        self.turn = 0
        """Changes with each probe: what a call got leave in says later whether it is the probe."""

    def wait_s(self) -> float | None:
        """Take leave to call: None, or the seconds until it is worth trying again.

        Whoever got leave has to report `answered`, `failed` or `abandoned`, the latter two with
        the `turn` that it was when they got it.
        """
        if self._open_until is None:
            return None
        left = self._open_until - self._clock()
        if left > 0:
            return left
        if self._probing:
            return 1.0
        self._probing = True
        self.turn += 1
        return None

    @property
    def open(self) -> bool:
        """Whether calls are held back, or only a probe is let through."""
        return self._open_until is not None

    def answered(self, *, well: bool = True) -> None:
        """Close: the upstream answered; or count it, where it said that it is in trouble."""
        if not well:
            self._failed(self._clock() - self._good_at >= self._storm_s)
            return
        self._good_at = self._clock()
        self._in_a_row = self._opened = 0
        self._open_until = None
        self._probing = False

    def failed(self, turn: int | None = None) -> None:
        """Count a failure to connect or to answer in time."""
        if turn in (None, self.turn):
            self._failed(opens=True)

    def _failed(self, opens: bool) -> None:
        if self.open and not self._probing:
            return  # a call from before it opened
        self._in_a_row += 1
        if self._probing or (opens and self._in_a_row >= self._failures):
            self._opened += 1
            pause = min(self._pause_s * self._opened, self._longest_s)
            self._open_until = self._clock() + pause
            self._in_a_row = 0
        self._probing = False

    def abandoned(self, turn: int | None = None) -> None:
        """Give leave back: the caller went away before there was an outcome."""
        if turn in (None, self.turn):
            self._probing = False
