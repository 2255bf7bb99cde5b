"""The cap of a labelling run: what a question can cost is set aside before it goes out."""

__all__ = ["Cap"]

_WHOLE = 1000


class Cap:
    """At most `most` attodollars (None: no cap), of which `spent` is gone or may be.

    While no answer costs more than its bound, `spent` never exceeds `most`, whatever comes back. A
    teacher that bills more than was asked for raises the bounds of all questions after it.
    """

    def __init__(self, most: int | None, spent: int = 0) -> None:
        self.spent = spent
        self.under_way = 0
        """What of it is set aside for questions that have no outcome yet."""
        self._most = most
        self._dearer = _WHOLE

    @property
    def settled(self) -> int:
        """What is gone or may be, without what is set aside for questions under way."""
        return self.spent - self.under_way

    def take_up(self, reserved: int) -> None:
        """Take what is spent already as set aside for a question that is still under way."""
        self.under_way += reserved

    def reserve(self, bound: int | None) -> int | None:
        """Set aside what a question can cost and return it; None: that would be too much."""
        if self._most is None:
            bound = bound or 0
        elif bound is None:
            return None
        amount = -(-bound * self._dearer // _WHOLE)
        if self._most is not None and self.spent + amount > self._most:
            return None
        self.spent += amount
        self.under_way += amount
        return amount

    def settle(self, reserved: int, cost: int | None) -> None:
        """Put what a question did cost in place of what was set aside; None leaves it there.

        Nobody is paid for answering: a cost below 0 is one that nobody knows.
        """
        self.under_way -= reserved
        if cost is None or cost < 0:
            return
        self.spent += cost - reserved
        if cost > reserved > 0:
            self._dearer = max(self._dearer, -(-cost * self._dearer // reserved))
