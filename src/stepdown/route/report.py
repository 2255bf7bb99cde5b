"""What a complexity score was learnt from, and what it is worth."""

import msgspec

from stepdown.core.tiering import TaskType

__all__ = ["Report"]


class Report(msgspec.Struct, frozen=True):
    """What a score was learnt from and what it is worth, out of fold.

    `sources` and `types` have (rows, hard rows). `brier_base` is the Brier score of saying the base
    rate each time. `shares` is how much would go to each tier. `why` says in a sentence why the
    score is not usable, or what it is worth.
    """

    rows: int
    hard: int
    sources: dict[str, tuple[int, int]]
    types: dict[TaskType, tuple[int, int]]
    auroc: float
    auroc_low: float
    auroc_high: float
    calibration_error: float
    brier: float
    brier_base: float
    calibration: str
    usable: bool
    why: str
    shares: dict[str, float] = {}
    skipped: dict[str, int] = {}

    @property
    def base_rate(self) -> float:
        """The share of rows that are hard."""
        return self.hard / self.rows

    @property
    def brier_skill(self) -> float:
        """How much of the base rate's Brier score is saved; 0 or less: nothing."""
        return 1.0 - self.brier / self.brier_base

    @property
    def headline(self) -> str:
        """The AUROC with its interval, and the calibration error, in a few words."""
        return (
            f"AUROC {self.auroc:.3f} (95 %: {self.auroc_low:.3f} to {self.auroc_high:.3f}), "
            f"calibration error {self.calibration_error:.3f}"
        )
