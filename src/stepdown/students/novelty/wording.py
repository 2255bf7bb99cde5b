"""What a text is made of, whatever the family: its length, and the byte trigrams it is written in.

Another language, another script, a key or a binary blob are made of other trigrams than the
training texts; a pasted document is longer than they are.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["BUCKETS", "clip", "count_grams", "grams_of", "log_shares", "oddness"]

BUCKETS = 1 << 14
"""How many buckets trigrams are hashed into."""

_MOST_CHARS = 4_000


def clip(text: str) -> str:
    """Return the text, or of a longer one the first and the last 2,000 characters."""
    half = _MOST_CHARS // 2
    return text if len(text) <= _MOST_CHARS else text[:half] + text[-half:]


def grams_of(text: str) -> NDArray[np.uint32]:
    """Return the bucket of each trigram of bytes of a text, in lower case, from its first on.

    A blank on each side belongs to the text; the empty text has no trigram.
    """
    if not text or text.isspace():
        return np.zeros(0, np.uint32)
    raw = f" {clip(text).lower()} ".encode("utf-8", "replace")
    data = np.frombuffer(raw, np.uint8).astype(np.uint32)
    mixed = (data[:-2] * 65_599 + data[1:-1]) * 65_599 + data[2:]
    return np.bitwise_and(mixed ^ (mixed >> np.uint32(15)), np.uint32(BUCKETS - 1))


def count_grams(texts: Iterable[str]) -> NDArray[np.float64]:
    """Return how many of the texts have each bucket, float64 [BUCKETS]."""
    total = np.zeros(BUCKETS)
    for text in texts:
        total[np.unique(grams_of(text))] += 1
    return total


def log_shares(counts: NDArray[np.float64], texts: int) -> NDArray[np.float32]:
    """Return ln of the share of texts that have each bucket, one half added to each count."""
    return np.log((counts + 0.5) / (texts + 1)).astype(np.float32)


def oddness(grams: NDArray[np.uint32], shares: NDArray[np.float32], usual: float) -> float:
    """Return how rare a text's trigrams are, on average: larger is odder.

    `usual` is a usual number of them: the mean of fewer says less, and counts for less.
    """
    if not len(grams):
        return 0.0
    size = len(grams)
    mean = float(shares.take(grams).sum()) / size
    return -mean * math.sqrt(size / (size + usual))
