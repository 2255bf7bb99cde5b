"""What the untouched test part says, with intervals."""

from collections.abc import Sequence

from stepdown.core.anatomy import Anatomy
from stepdown.core.proofs import Interval, TestResult
from stepdown.core.stats import cp_interval
from stepdown.prove.curves import calibration_error, reliability_bins, risk_coverage
from stepdown.prove.outcomes import Outcome
from stepdown.prove.tables import confusions, field_rows, slice_rows

__all__ = ["interval", "measure"]

_NOTHING = float("inf")


def interval(count: int, total: int) -> Interval:
    """Return a share with its exact 95 % interval; of no rows, 0 between 0 and 1."""
    low, high = cp_interval(count, total)
    return Interval(count, total, count / total if total else 0.0, low, high)


def measure(outcomes: Sequence[Outcome], anatomy: Anatomy, threshold: float | None) -> TestResult:
    """Return everything that the proof states about the test part.

    Without a threshold nothing is answered: coverage and risks are 0, the rest is as if it were.
    """
    above = _NOTHING if threshold is None else threshold
    rows = len(outcomes)
    answered = [outcome for outcome in outcomes if outcome.score >= above]
    wrong = sum(not outcome.agrees for outcome in answered)
    bins = reliability_bins(outcomes)
    return TestResult(
        rows=rows,
        agreement=interval(sum(outcome.agrees for outcome in outcomes), rows),
        coverage=interval(len(answered), rows),
        joint_risk=interval(wrong, rows),
        selective_risk=interval(wrong, len(answered)),
        curve=risk_coverage(outcomes),
        bins=bins,
        calibration_error=calibration_error(bins),
        fields=field_rows(outcomes, anatomy, above),
        slices=slice_rows(outcomes, anatomy, above),
        confusions=confusions(outcomes, anatomy, above),
    )
