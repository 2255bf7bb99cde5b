"""The sentences of a text, and what a scorer sees of each."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.digests import claims, marks

__all__ = ["BUCKETS", "COLUMNS", "Sentence", "cut_sentences", "look_at"]

BUCKETS = 1 << 15
"""How many buckets words and word pairs are hashed into."""

COLUMNS = 9
"""How many other features a sentence has."""

_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[^a-z\s])|\n+")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_FIRST, _LAST = 200, 100
_LONGEST_WORD = 24


class Sentence(msgspec.Struct, frozen=True):
    """A sentence: the buckets of its words (int32), its other features (float32 [COLUMNS]), and
    what it is told by."""

    text: str
    ids: NDArray[np.int32]
    values: NDArray[np.float32]
    told: set[str]


def cut_sentences(text: str) -> list[str]:
    """Return the sentences and lines of a text, without white space around them.

    Of more than 300 the first 200 and the last 100.
    """
    found = [piece.strip() for piece in _END.split(text)]
    kept = [piece for piece in found if any(c.isalnum() for c in piece)]
    return kept if len(kept) <= _FIRST + _LAST else kept[:_FIRST] + kept[-_LAST:]


def look_at(text: str) -> list[Sentence]:
    """Return the sentences of a text with their features, in order."""
    pieces = cut_sentences(text)
    told = [marks(piece) for piece in pieces]
    common = Counter(mark for one in told for mark in one)
    return [
        Sentence(piece, _ids(piece), _values(at, pieces, told[at], common), told[at])
        for at, piece in enumerate(pieces)
    ]


def _ids(piece: str) -> NDArray[np.int32]:
    words = ["#" if w[0].isdigit() else w[:_LONGEST_WORD] for w in _WORD.findall(piece.lower())]
    grams = {*words, *(f"{a} {b}" for a, b in pairwise(words))}
    found = {crc32(gram.encode("utf-8", "replace")) & (BUCKETS - 1) for gram in grams}
    return np.array(sorted(found), np.int32)


def _values(
    at: int, pieces: Sequence[str], told: set[str], common: Counter[str]
) -> NDArray[np.float32]:
    """Return where a sentence stands, how long it is, what it states, and how central it is."""
    count, piece = len(pieces), pieces[at]
    stated = claims(piece)
    numbers = sum(one[0].isdigit() for one in stated)
    shared = sum(common[mark] > 1 for mark in told)
    return np.array(
        [
            at / count,
            1.0 / (1 + at),
            1.0 / (count - at),
            np.log1p(len(piece)) / 5.0,
            min(numbers, 3) / 3.0,
            min(len(stated) - numbers, 3) / 3.0,
            shared / len(told) if told else 0.0,
            float(piece.rstrip("\"'”’)]").endswith("?")),
            float(":" in piece[:30]),
        ],
        np.float32,
    )
