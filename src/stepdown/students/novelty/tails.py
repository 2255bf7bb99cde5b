"""Empirical tails: how surprising a score is among held-out ones, on one scale for all signals."""

import math
from bisect import bisect_right

import msgspec
import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Tail", "fit_tail"]

_TAIL_SHARE = 0.02
_POINTS = 64
_LEAST_EXCESS = 1e-6
_MOST = 700.0
"""No surprise is larger (nats): exp(-700) is still a number."""

_SHARES = np.concatenate(
    [np.linspace(1.0, 0.1, _POINTS // 2, endpoint=False), np.geomspace(0.1, _TAIL_SHARE, 32)]
)
_SURPRISES: list[float] = (-np.log(_SHARES)).tolist()


class Tail(msgspec.Struct, frozen=True):
    """The upper tail of a score: `points` are its quantiles, from the least to that of 98 %.

    Beyond the last point the tail is taken as exponential with the mean `excess` (the generalised
    Pareto tail of shape 0: Coles, *An Introduction to Statistical Modeling of Extreme Values*,
    2001, §4.2), so that scores larger than any that was seen can still be told apart.
    """

    points: tuple[float, ...]
    excess: float

    def surprise(self, score: float) -> float:
        """Return -ln of the share of held-out scores that are at least `score`, in nats, ≥ 0.

        Between quantiles it is linear; it never falls as the score grows. NaN is as surprising as
        can be.
        """
        points = self.points
        if not score <= points[-1]:
            over = (score - points[-1]) / self.excess
            return min(_SURPRISES[-1] + over, _MOST) if over == over else _MOST
        at = bisect_right(points, score)
        if at == 0:
            return 0.0
        if at == len(points):
            return _SURPRISES[-1]
        below, above = points[at - 1], points[at]
        share = (score - below) / (above - below)
        return _SURPRISES[at - 1] + share * (_SURPRISES[at] - _SURPRISES[at - 1])

    @property
    def sound(self) -> bool:
        """Say whether the numbers are a tail's: as many as there have to be, finite, in order."""
        steps = zip(self.points, self.points[1:], strict=False)
        return (
            len(self.points) == len(_SURPRISES)
            and all(map(math.isfinite, self.points))
            and all(a <= b for a, b in steps)
            and 0 < self.excess < math.inf
        )


def fit_tail(scores: ArrayLike) -> Tail:
    """Return the tail of some held-out scores, at least one, all finite."""
    values = np.sort(np.asarray(scores, np.float64))
    points = np.quantile(values, 1.0 - _SHARES)
    over = values[values > points[-1]] - points[-1]
    spread = float(values[-1] - values[0])
    excess = float(over.mean()) if len(over) else 0.0
    # Scores that hardly vary would make any other one infinitely surprising.
    least = max(_LEAST_EXCESS, 0.01 * spread)
    return Tail(tuple(points.tolist()), max(excess, least))
