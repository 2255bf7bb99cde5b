"""Texts as vectors, to see which are alike: sketches of their 4-grams, the rarer the weightier."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepdown.label.similarity import normalised, shingles

__all__ = ["Vectors", "vectors_of"]

Vectors = NDArray[np.float32]

_SIZE = 1024
_MOST_GRAMS = 1000


def vectors_of(texts: Sequence[str]) -> Vectors:
    """Return vectors of length 1, float32 [texts, 1024].

    A count sketch (Weinberger et al. 2009, §3): each 4-gram adds its inverse document frequency to
    one place with one sign, both by its hash, which keeps inner products on average. Of a long text
    a random part of its 4-grams is looked at: those with the smallest hashes.
    """
    grams = [shingles(normalised(text))[:_MOST_GRAMS] for text in texts]
    table = np.zeros((len(texts), _SIZE), np.float32)
    if not grams:
        return table
    seen, counts = np.unique(np.concatenate(grams), return_counts=True)
    weights = np.log(len(texts) / counts) + 1e-6
    for at, own in enumerate(grams):
        signs = np.where((own >> np.uint64(40)) & np.uint64(1), 1.0, -1.0)
        places = (own % np.uint64(_SIZE)).astype(np.intp)
        table[at] = np.bincount(places, signs * weights[np.searchsorted(seen, own)], _SIZE)
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
