"""Routing curves and their areas: PGR, APGR and CPT of two models, AIQ of many.

PGR, APGR and CPT as in RouteLLM (arXiv 2406.18665, section 3), AIQ and the zero router as in
RouterBench (arXiv 2403.12031, section 3).
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Curve",
    "aiq",
    "apgr",
    "cpt",
    "exact_curve",
    "quantile_curve",
    "sweep",
    "upper_hull",
]

Floats = NDArray[np.float64]

_QUANTILES = 10


class Curve(msgspec.Struct, frozen=True):
    """Mean quality by the share of calls that went to the strong model, from 0 to 1."""

    shares: Floats
    quality: Floats


def quantile_curve(scores: ArrayLike, weak: ArrayLike, strong: ArrayLike) -> Curve:
    """Return the curve through ten quantiles of the scores, and both ends.

    A call goes to the strong model where its score is at least the threshold. `weak` and `strong`
    are the two models' qualities of each row.
    """
    given, low, high = _three(scores, weak, strong)
    cuts = np.unique(np.quantile(given, np.linspace(0.0, 1.0, _QUANTILES + 1)))
    chosen = given[None, :] >= cuts[:, None]
    shares = chosen.mean(axis=1)
    quality = np.where(chosen, high, low).mean(axis=1)
    return _closed(shares, quality, low, high)


def exact_curve(scores: ArrayLike, weak: ArrayLike, strong: ArrayLike) -> Curve:
    """Return the curve through every share of calls, the highest scores first.

    Within a tie the rows come in an order that knows nothing: their mean.
    """
    given, low, high = _three(scores, weak, strong)
    order = np.argsort(-given, kind="stable")
    gain = np.cumsum((high - low)[order])
    ends = np.flatnonzero(np.diff(given[order], append=np.inf))
    return _closed((ends + 1) / len(given), low.mean() + gain[ends] / len(given), low, high)


def _three(scores: ArrayLike, weak: ArrayLike, strong: ArrayLike) -> tuple[Floats, Floats, Floats]:
    given, low, high = (np.asarray(part, float) for part in (scores, weak, strong))
    return given, low, high


def _closed(shares: Floats, quality: Floats, low: Floats, high: Floats) -> Curve:
    shares = np.concatenate(([0.0], shares, [1.0]))
    quality = np.concatenate(([low.mean()], quality, [high.mean()]))
    order = np.lexsort((quality, shares))
    return Curve(shares[order], quality[order])


def apgr(curve: Curve) -> float:
    """Return the average share of the gap between the models that is recovered, over all shares.

    1/2 for a router that knows nothing; nan where the models are equally good.
    """
    return float(np.trapezoid(_recovered(curve), curve.shares))


def cpt(curve: Curve, part: float) -> float:
    """Return the least share of strong calls that recovers `part` of the gap (interpolated)."""
    recovered = _recovered(curve)
    reached = np.flatnonzero(recovered >= part - 1e-12)
    if not len(reached):
        return float("nan")
    at = int(reached[0])
    if at == 0:
        return float(curve.shares[0])
    rise = recovered[at] - recovered[at - 1]
    way = 1.0 if rise <= 0 else (part - recovered[at - 1]) / rise
    return float(curve.shares[at - 1] + way * (curve.shares[at] - curve.shares[at - 1]))


def _recovered(curve: Curve) -> Floats:
    gap = float(curve.quality[-1] - curve.quality[0])
    if gap == 0.0:
        return np.full(len(curve.quality), np.nan)
    return (curve.quality - curve.quality[0]) / gap


def upper_hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the non-decreasing upper convex hull of (cost, quality) points, by cost.

    Any point on it can be had by drawing between its two neighbours; none that costs more and is
    no better is kept.
    """
    best: list[tuple[float, float]] = []
    for cost, quality in sorted(points, key=lambda point: (point[0], -point[1])):
        if best and quality <= best[-1][1]:
            continue
        while len(best) > 1 and _is_below(best[-2], best[-1], (cost, quality)):
            best.pop()
        best.append((cost, quality))
    return best


def _is_below(
    left: tuple[float, float], point: tuple[float, float], right: tuple[float, float]
) -> bool:
    """Say whether a point lies on or below the line between its neighbours."""
    rise = (right[1] - left[1]) * (point[0] - left[0])
    return (point[1] - left[1]) * (right[0] - left[0]) <= rise


def aiq(points: Sequence[tuple[float, float]], low: float, high: float) -> float:
    """Return the mean quality over costs from `low` to `high`, along the hull of the points.

    The hull goes on level on the right; left of its first point it begins there, so every router
    that is compared has to have a point at `low`.
    """
    hull = upper_hull(points)
    costs, quality = np.array([c for c, _ in hull]), np.array([q for _, q in hull])
    grid = np.unique(np.concatenate(([low, high], costs[(costs > low) & (costs < high)])))
    return float(np.trapezoid(np.interp(grid, costs, quality), grid)) / (high - low)


def sweep(
    predicted: Floats, truth: Floats, costs: Floats, weights: ArrayLike
) -> list[tuple[float, float]]:
    """Return the (mean cost, mean quality) of choosing argmax of weight x predicted - cost.

    `predicted` and `truth` are [rows, models], `costs` [models]; one point for each weight.
    """
    points: list[tuple[float, float]] = []
    rows = np.arange(len(truth))
    for weight in np.asarray(weights, float):
        chosen = np.argmax(weight * predicted - costs, axis=1)
        points.append((float(costs[chosen].mean()), float(truth[rows, chosen].mean())))
    return points
