"""The test part behind a seal that breaks once: what was looked at can't be chosen by (C-2)."""

from collections.abc import Sequence

from stepdown.core.datasets import Example
from stepdown.errors import Refusal

__all__ = ["SealedTest"]


class SealedTest:
    """Holds the test rows of one proof; `opened` counts how often they were handed out."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = tuple(examples)
        self.opened = 0

    def open(self) -> tuple[Example, ...]:
        """Return the rows, the first time.

        Raises:
            Refusal: they were handed out before.
        """
        if self.opened:
            raise Refusal(
                "The test part was opened already in this proof; a second look would make it a "
                "calibration part, so start a new proof."
            )
        self.opened += 1
        return self._examples
