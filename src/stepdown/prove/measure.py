"""What the untouched test part says, with intervals."""

from collections.abc import Sequence

from stepdown.core.anatomy import Anatomy
from stepdown.core.proofs import Interval, TestResult
from stepdown.core.stats import cp_interval, mean_upper
from stepdown.prove.curves import calibration_error, reliability_bins, risk_coverage
from stepdown.prove.outcomes import Outcome, graded, losses_of
from stepdown.prove.tables import confusions, field_rows, slice_rows

__all__ = ["interval", "measure"]

_NOTHING = float("inf")
_TAIL = 0.025


def interval(count: int, total: int) -> Interval:
    """Return a share with its exact 95 % interval; of no rows, 0 between 0 and 1."""
    low, high = cp_interval(count, total)
    return Interval(count, total, count / total if total else 0.0, low, high)


def _risk(answered: Sequence[Outcome], total: int) -> Interval:
    """Return the share of `total` rows that are answered wrong, or of graded ones the mean loss."""
    wrong = sum(not outcome.agrees for outcome in answered)
    if not graded(answered):
        return interval(wrong, total)
    lost = float(losses_of(answered).sum())
    low = 1.0 - mean_upper(total - lost, total, _TAIL)
    return Interval(wrong, total, lost / total, low, mean_upper(lost, total, _TAIL))


def measure(outcomes: Sequence[Outcome], anatomy: Anatomy, threshold: float | None) -> TestResult:
    """Return everything that the proof states about the test part.

    Without a threshold nothing is answered: coverage and risks are 0, the rest is as if it were.
    """
    above = _NOTHING if threshold is None else threshold
    rows = len(outcomes)
    answered = [outcome for outcome in outcomes if outcome.score >= above]
    bins = reliability_bins(outcomes)
    return TestResult(
        rows=rows,
        agreement=interval(sum(outcome.agrees for outcome in outcomes), rows),
        coverage=interval(len(answered), rows),
        joint_risk=_risk(answered, rows),
        selective_risk=_risk(answered, len(answered)),
        curve=risk_coverage(outcomes),
        bins=bins,
        calibration_error=calibration_error(bins),
        fields=field_rows(outcomes, anatomy, above),
        slices=slice_rows(outcomes, anatomy, above),
        confusions=confusions(outcomes, anatomy, above),
    )
