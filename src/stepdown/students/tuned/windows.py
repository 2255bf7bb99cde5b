"""Texts as the student's session will read them: windows of sub-words, and each word's pieces."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.students.encoder.session import WINDOW, frame_of, tokenizer_of, windows_of
from stepdown.students.encoder.spans import runs_of
from stepdown.students.spans_features import Places

__all__ = ["Cut", "Cutter", "pad"]

_INNER = WINDOW - 2


class Cut(msgspec.Struct, frozen=True):
    """One text: the ids of each window, and where each piece (special ones aside) stands in it.

    `places` is int [pieces, 2]; piece g is in window g // 254, at position 1 + g % 254.
    """

    windows: tuple[tuple[int, ...], ...]
    places: NDArray[np.intp]

    def locate(self, words: Places) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return (window, position) of the words' pieces [P, 2], and the word of each [P]."""
        pieces: list[int] = []
        owners: list[int] = []
        for word, (low, high) in enumerate(runs_of(self.places, words)):
            pieces += range(low, high)
            owners += [word] * (high - low)
        found = np.array(pieces, np.intp)
        at = np.stack([found // _INNER, 1 + found % _INNER], axis=1)
        return at.reshape(-1, 2), np.array(owners, np.intp)


class Cutter:
    """Cuts texts with a model's own tokenizer, whose file's bytes are given.

    Raises:
        ArtefactError: the tokenizer can't be read.
    """

    def __init__(self, tokenizer: bytes) -> None:
        self._pieces: Any = tokenizer_of(tokenizer)
        self._frame = frame_of(self._pieces)

    def cut(self, text: str) -> Cut:
        """Cut one text; an empty one is one window of special sub-words."""
        windows, places = windows_of(self._pieces, self._frame, text)
        return Cut(tuple(map(tuple, windows)), places)


def pad(
    windows: Sequence[Sequence[int]], filler: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return windows as one array of ids [windows, longest], and the mask that is 1 where read."""
    width = max(map(len, windows))
    ids = np.full((len(windows), width), filler, np.int64)
    mask = np.zeros((len(windows), width), np.int64)
    for at, window in enumerate(windows):
        ids[at, : len(window)] = window
        mask[at, : len(window)] = 1
    return ids, mask
