"""What the routing benchmarks share: nearest neighbours, and intervals by drawing rows again."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWS", "nearest", "redrawn", "verdict"]

DRAWS = 300
_BLOCK = 500


def nearest(asked: NDArray[np.float32], known: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the k rows of `known` nearest to each asked one, by dot product, the nearest first."""
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(asked), _BLOCK):
        near = asked[start : start + _BLOCK] @ known.T
        top = np.argpartition(-near, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(near, top, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(top, order, axis=1))
    return np.concatenate(found)


def redrawn(rows: int, measure: Callable[[NDArray[np.int64]], float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a measure of rows (percentiles)."""
    random = np.random.default_rng(0)
    drawn = [measure(random.integers(0, rows, rows)) for _ in range(DRAWS)]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def verdict(low: float, high: float, other: str) -> str:
    """Say in plain words what an interval of a difference means."""
    if low > 0:
        return f"better than {other}"
    return f"worse than {other}" if high < 0 else f"not better than {other}, as far as this tells"
