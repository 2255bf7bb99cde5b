"""The risk-coverage curve and the reliability diagram of a student on the test part."""

from collections.abc import Sequence

import numpy as np

from stepdown.core.proofs import Bin, CurvePoint
from stepdown.core.stats import accepted_and_lost
from stepdown.prove.outcomes import Outcome, losses_of, scores_and_wrong

__all__ = ["calibration_error", "reliability_bins", "risk_coverage"]

_POINTS = 200
_BINS = 10


def risk_coverage(outcomes: Sequence[Outcome]) -> tuple[CurvePoint, ...]:
    """Return at most 200 points, from the strictest threshold to the loosest, even in coverage."""
    scores, _ = scores_and_wrong(outcomes)
    distinct = np.unique(scores[np.isfinite(scores)])[::-1]
    if not len(distinct):
        return ()
    places = np.linspace(0, len(distinct) - 1, min(_POINTS, len(distinct))).round().astype(int)
    grid = distinct[places]
    accepted, lost = accepted_and_lost(scores, losses_of(outcomes), grid)
    rows = len(outcomes)
    return tuple(
        CurvePoint(threshold, taken / rows, bad / rows, bad / taken)
        for threshold, taken, bad in zip(
            grid.tolist(), accepted.tolist(), lost.tolist(), strict=True
        )
    )


def reliability_bins(outcomes: Sequence[Outcome]) -> tuple[Bin, ...]:
    """Return ten bins of equal width over [0, 1], without the empty ones and the abstentions."""
    bins: list[Bin] = []
    members: list[list[Outcome]] = [[] for _ in range(_BINS)]
    for outcome in outcomes:
        if not outcome.abstained:
            members[min(_BINS - 1, max(0, int(outcome.score * _BINS)))].append(outcome)
    for at, inside in enumerate(members):
        if inside:
            bins.append(
                Bin(
                    low=at / _BINS,
                    high=(at + 1) / _BINS,
                    count=len(inside),
                    confidence=sum(outcome.score for outcome in inside) / len(inside),
                    agreement=1.0 - float(losses_of(inside).mean()),
                )
            )
    return tuple(bins)


def calibration_error(bins: Sequence[Bin]) -> float:
    """Return the expected calibration error: the mean gap of confidence and agreement.

    Weighted by the rows of each bin (Guo et al. 2017, §2); 0.0 without rows.
    """
    rows = sum(one.count for one in bins)
    return sum(one.count * abs(one.confidence - one.agreement) for one in bins) / max(rows, 1)
