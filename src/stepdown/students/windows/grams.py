"""What a window's scorer sees: which words and word pairs stand in it, and where it stands.

Each is counted once a window, times its inverse document frequency over windows, and the row is
scaled to length 1. Numbers are seen by their shape alone: which date it is says nothing about
whether a date is wanted here.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from stepdown.students.windows.cut import Places

__all__ = ["POSITIONS", "Grams", "fit_grams"]

_WORD = re.compile(r"[^\W\d_]+|\d+|[$€£%§]")
_EDGES = np.array([1, 2, 3, 5, 9, 17, 33])
_TENTHS = 10
POSITIONS = 2 * (len(_EDGES) + 1) + _TENTHS
"""How many columns say where in the text a window stands."""
_POSITION_WEIGHT = 0.3
_LONGEST_WORD = 24


def _shape(word: str) -> str:
    if not word[0].isdigit():
        return word[:_LONGEST_WORD]
    if len(word) == 4:
        return "#year" if word[:2] in ("19", "20") else "#4"
    return f"#{min(len(word), 5)}"


def _grams(unit: str) -> set[str]:
    words = list(map(_shape, _WORD.findall(unit.lower())))
    return {*words, *map(" ".join, pairwise(words))}


class Grams:
    """A vocabulary of words and word pairs, with their inverse frequency over windows."""

    def __init__(self, names: Sequence[str], idf: NDArray[np.float32]) -> None:
        self.names = tuple(names)
        self.idf = idf
        self._ids = {name: at for at, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    @property
    def width(self) -> int:
        """How many columns `rows` has."""
        return len(self.names) + POSITIONS

    def rows(self, text: str, units: Places) -> sparse.csr_matrix:
        """Return the features [windows, width] of a text; window i is unit i and the one after."""
        ids = self._ids
        found = [
            np.fromiter(
                {at for gram in _grams(text[a:b]) if (at := ids.get(gram)) is not None}, np.int32
            )
            for a, b in units
        ]
        joined = [np.union1d(*pair) for pair in pairwise([*found, np.zeros(0, np.int32)])]
        ends = np.cumsum([0, *map(len, joined)])
        columns = np.concatenate(joined) if joined else np.zeros(0, np.int32)
        values = self.idf[columns].astype(np.float32)
        lengths = np.sqrt(np.add.reduceat(np.append(values**2, 0), ends[:-1]))
        counts = np.diff(ends)
        lengths[counts == 0] = 1.0
        values /= np.repeat(lengths, counts)
        words = sparse.csr_matrix((values, columns, ends), shape=(len(units), len(self.names)))
        return sparse.csr_matrix(sparse.hstack([words, _positions(len(units))], dtype=np.float32))


def _positions(count: int) -> sparse.csr_matrix:
    """Return how far each window is from both ends, and in which tenth of the text it stands."""
    at = np.arange(count)
    steps = len(_EDGES) + 1
    columns = np.stack(
        [
            np.searchsorted(_EDGES, at, side="right"),
            steps + np.searchsorted(_EDGES, count - 1 - at, side="right"),
            2 * steps + at * _TENTHS // max(count, 1),
        ],
        axis=1,
    )
    values = np.full(3 * count, _POSITION_WEIGHT, np.float32)
    ends = np.arange(0, 3 * count + 1, 3)
    return sparse.csr_matrix((values, columns.ravel(), ends), shape=(count, POSITIONS))


def fit_grams(texts: Iterable[tuple[str, Places]], most: int) -> Grams:
    """Return the `most` commonest words and pairs of some texts with their units.

    One that stands in fewer than three units is left out.
    """
    counts: Counter[str] = Counter()
    total = 0
    for text, units in texts:
        total += len(units)
        for start, end in units:
            counts.update(_grams(text[start:end]))
        if len(counts) > 50 * most:
            counts = Counter({gram: count for gram, count in counts.items() if count > 1})
    kept = [gram for gram, count in counts.items() if count > 2]
    # Ties go to the alphabet, so that the same rows give the same bytes.
    kept = sorted(sorted(kept, key=lambda gram: (-counts[gram], gram))[:most])
    frequency = np.array([counts[gram] for gram in kept], np.float64)
    idf = np.log((1 + total) / (1 + frequency)) + 1
    return Grams(kept, idf.astype(np.float32))
