"""How far a vector is from the training vectors: centres of each class, the nearest one counts.

The cosine to the nearest class mean told out-of-scope requests from others better than Mahalanobis
distances or nearest neighbours did, and costs one small product.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["Vectors", "distance", "fit_centres", "sketch", "unit_rows"]

Vectors = NDArray[np.float32]

SKETCH = 512
_MOST_CENTRES = 512
_ROWS_A_CENTRE = 25
_ROUNDS = 8
_MOST_ROWS = 20_000


def unit_rows(vectors: NDArray[np.floating]) -> Vectors:
    """Return the rows scaled to length 1; rows of zeros stay so, what is not finite becomes 0."""
    clean = np.nan_to_num(vectors.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    lengths = np.linalg.norm(clean, axis=1, keepdims=True)
    return clean / np.maximum(lengths, np.float32(1e-9))


def sketch(ids: NDArray[np.integer], weights: NDArray[np.float32]) -> Vectors:
    """Return a vector float32 [512] for sparse features, where a family has no dense ones.

    A count sketch: each id adds its weight to one place with one sign, both by hash, which keeps
    inner products on average (Weinberger et al., ICML 2009, §3).
    """
    mixed = ids.astype(np.uint32) * np.uint32(2_654_435_761)
    signed = np.where(mixed & 1, weights, -weights)
    places = (mixed >> 16) & np.uint32(SKETCH - 1)
    return np.bincount(places, signed, SKETCH).astype(np.float32)


def distance(vector: NDArray[np.floating], centres: Vectors) -> float:
    """Return 1 minus the cosine to the nearest centre, from 0 to 2; 1 for a vector of zeros.

    NaN where the vector is not finite.
    """
    length = math.sqrt(vector.dot(vector))
    if length < 1e-9:
        return 1.0
    return 1.0 - float(np.maximum.reduce(centres.dot(vector))) / length


def fit_centres(vectors: Vectors, classes: NDArray[np.intp] | None) -> Vectors:
    """Return centres of length 1, float32 [centres, size], of vectors of length 1.

    Each class has one centre for every 25 of its rows, or as many of them as fit, but at least one;
    rows of class -1 are in none. Without classes all rows are one.
    """
    if classes is None or not (classes >= 0).any():
        return _cluster(vectors, _affordable(len(vectors), _MOST_CENTRES))
    found = np.unique(classes[classes >= 0])
    most = max(_MOST_CENTRES // len(found), 1)
    parts = [vectors[classes == one] for one in found.tolist()]
    return np.concatenate([_cluster(part, _affordable(len(part), most)) for part in parts])


def _affordable(rows: int, most: int) -> int:
    return min(max(rows // _ROWS_A_CENTRE, 1), most)


def _cluster(vectors: Vectors, count: int) -> Vectors:
    """Return `count` centres by spherical k-means, from evenly spaced rows (Dhillon & Modha)."""
    if count == 1:
        return unit_rows(vectors.mean(axis=0, keepdims=True))
    step = -(-len(vectors) // _MOST_ROWS)
    rows = vectors[::step]
    centres = rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]
    for _ in range(_ROUNDS):
        nearest = (rows @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, rows)
        # A centre that lost all its rows stays where it was.
        kept = np.bincount(nearest, minlength=count) > 0
        centres = np.where(kept[:, None], unit_rows(sums), centres)
    return centres
