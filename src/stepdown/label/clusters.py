"""Near-duplicate clusters, and near-duplicates that stand on two sides.

A text joins the cluster of a *representative* that it is like, never of another member: chains of
small differences would make one cluster of everything that shares a frame ("book a table for …").
What that leaves alike across clusters, `crossing` finds pair by pair.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepdown.label.similarity import Sketches

__all__ = ["cluster", "crossing"]

_BUCKET = 48


def cluster(sketches: Sketches, level: float) -> list[int]:
    """Return for each text the index of its cluster's representative (its own, if it is one).

    A text joins the representative that is at least `level` alike; the first of its kind is one.
    """
    # Only the newest representatives of a bucket are tried: a bound on time, not on correctness.
    buckets: list[dict[int, list[int]]] = [{} for _ in range(sketches.bands.shape[1])]
    belongs: list[int] = []
    for at, keys in enumerate(sketches.bands.tolist()):
        found: set[int] = set()
        for bucket, key in zip(buckets, keys, strict=True):
            found.update(bucket.get(key, ())[-_BUCKET:])
        mates = np.fromiter(sorted(found), np.int64, len(found))
        joined = sketches.alike(at, mates, level) if found else None
        belongs.append(at if joined is None else joined)
        if joined is None:
            for bucket, key in zip(buckets, keys, strict=True):
                bucket.setdefault(key, []).append(at)
    return belongs


def crossing(
    sketches: Sketches, rows: Sequence[int], others: Sequence[int], level: float
) -> set[int]:
    """Return those of `rows` that are at least `level` alike to one of `others`."""
    here: NDArray[np.int64] = np.asarray(rows, np.int64)
    there: NDArray[np.int64] = np.asarray(others, np.int64)
    return {
        row
        for row, mates in sketches.bucket_mates(here, there)
        if sketches.alike(row, mates, level) is not None
    }
