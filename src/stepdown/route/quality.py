"""How good a score of hard and easy calls is: AUROC, calibration error, Brier score, least rows."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LEAST_ROWS", "auroc", "auroc_interval", "brier", "calibration_error", "least_rows"]

Floats = NDArray[np.float64]

_BINS = 10
_DRAWS = 1000
_Z95 = 1.959964


def auroc(scores: ArrayLike, hard: ArrayLike) -> float:
    """Return the probability that a hard row scores above an easy one, ties counting half.

    0.5 where one of the two kinds is missing: nothing is told apart.
    """
    ranks, truth = _ranked(scores, hard)
    return _area(ranks, truth, np.ones(len(truth)))


def auroc_interval(
    scores: ArrayLike, hard: ArrayLike, draws: int = _DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the AUROC (percentiles; rows drawn with return)."""
    ranks, truth = _ranked(scores, hard)
    rows = len(truth)
    if not rows:
        return 0.0, 1.0
    random = np.random.default_rng(seed)
    areas = [
        _area(ranks, truth, np.bincount(random.integers(0, rows, rows), minlength=rows))
        for _ in range(draws)
    ]
    low, high = np.quantile(areas, (0.025, 0.975))
    return float(low), float(high)


def _ranked(scores: ArrayLike, hard: ArrayLike) -> tuple[NDArray[np.int64], Floats]:
    _, ranks = np.unique(np.asarray(scores, float), return_inverse=True)
    return ranks.astype(np.int64), np.asarray(hard, float)


def _area(ranks: NDArray[np.int64], truth: Floats, weights: ArrayLike) -> float:
    counts = np.asarray(weights, float)
    positive = np.bincount(ranks, counts * truth)
    negative = np.bincount(ranks, counts * (1.0 - truth))
    pairs = float(positive.sum() * negative.sum())
    if pairs == 0.0:
        return 0.5
    below = np.cumsum(negative) - negative / 2.0
    return float(positive @ below) / pairs


def calibration_error(probabilities: ArrayLike, hard: ArrayLike) -> float:
    """Return the expected calibration error over ten bins of equal mass (rows in order of score).

    The mean, over rows, of |mean probability - share that is hard| of the row's bin.
    """
    given, truth = np.asarray(probabilities, float), np.asarray(hard, float)
    order = np.argsort(given, kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if len(part)]
    gaps = [len(part) * abs(float(given[part].mean() - truth[part].mean())) for part in parts]
    return sum(gaps) / max(len(order), 1)


def brier(probabilities: ArrayLike, hard: ArrayLike) -> float:
    """Return the mean squared distance of the probabilities from what came true."""
    return float(np.mean((np.asarray(probabilities, float) - np.asarray(hard, float)) ** 2))


def least_rows(area: float) -> int:
    """Return how many hard and as many easy rows tell an AUROC of `area` from 0.5, at 95 %.

    By the standard error of Hanley & McNeil (Radiology 143, 1982, formula 2): the fewest rows of
    each kind with which area - 1.96 standard errors lies above 0.5.
    """
    for rows in range(2, 100_000):
        if area - _Z95 * _standard_error(area, rows) > 0.5:
            return rows
    raise ValueError(f"no number of rows tells {area} from a half")


def _standard_error(area: float, rows: int) -> float:
    one, other = area / (2 - area), 2 * area * area / (1 + area)
    spread = (rows - 1) * (one - area * area + other - area * area)
    return math.sqrt((area * (1 - area) + spread) / (rows * rows))


LEAST_ROWS = least_rows(0.61)
"""Of either kind, hard and easy: fewer can't tell so good a score as 0.61 from a coin."""
