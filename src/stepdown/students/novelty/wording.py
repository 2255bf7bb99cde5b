"""What a text is made of, whatever the family: its length, its byte trigrams, its rarest word.

Another language, another script, a key or a binary blob are made of other trigrams than the
training texts; a pasted document is longer than they are. A request out of scope often has a word
that hardly any of them has.
"""

import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BUCKETS",
    "MANY",
    "WORD_BUCKETS",
    "clip",
    "count_grams",
    "count_words",
    "grams_of",
    "log_shares",
    "oddness",
    "rarity",
    "words_of",
]

BUCKETS = 1 << 14
"""How many buckets trigrams are hashed into."""

WORD_BUCKETS = 1 << 17
"""How many buckets words are hashed into: few unknown words meet one that is known."""

MANY = 255
"""Texts that have a word: beyond this number it is a common one."""

_WORD = re.compile(r"\w+")
_MOST_CHARS = 4_000
_REMEMBERED = 1 << 15
_REMEMBERED_LENGTH = 32
_FACTOR, _HALF, _MASK = np.uint32(65_599), np.uint32(15), np.uint32(BUCKETS - 1)


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
    # In place: half of what this takes would be the making of arrays.
    mixed = data[:-2] * _FACTOR
    mixed += data[1:-1]
    mixed *= _FACTOR
    mixed += data[2:]
    mixed ^= mixed >> _HALF
    mixed &= _MASK
    return mixed


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
    mean = float(np.add.reduce(shares.take(grams))) / size
    return -mean * math.sqrt(size / (size + usual))


def words_of(text: str) -> list[int]:
    """Return the buckets of a text's distinct words, in lower case."""
    words = set(_WORD.findall(clip(text).lower()))
    return [
        _remembered(word) if len(word) <= _REMEMBERED_LENGTH else _bucket(word) for word in words
    ]


def _bucket(word: str) -> int:
    return crc32(word.encode("utf-8", "replace")) & (WORD_BUCKETS - 1)


_remembered = lru_cache(_REMEMBERED)(_bucket)


def count_words(texts: Iterable[str]) -> NDArray[np.int64]:
    """Return how many of the texts have each word, by bucket: int64 [WORD_BUCKETS]."""
    total = np.zeros(WORD_BUCKETS, np.int64)
    for text in texts:
        total[words_of(text)] += 1
    return total


def rarity(words: Sequence[int], counts: NDArray[np.uint8], scale: float = 1.0) -> float:
    """Return how rare a text's rarest word is: -ln of the number of texts that have it.

    The number is taken times `scale`, which makes those from a part of the texts comparable with
    those from all; more than `MANY` count as many, and one half is added. A text without words is
    like one with an unknown word.
    """
    least = min(map(counts.item, words), default=0)
    return -math.log(min(least * scale, MANY) + 0.5)
