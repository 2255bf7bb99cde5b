"""Windows of a long input: scored for each field, the best kept, and joined into a digest.

A student that reads the digest instead of the input takes the time of a page, however long the
contract is. The digest is text: whatever reads texts can read it.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.tasks import Input, Segment
from stepdown.students.windows.cut import Places, cut
from stepdown.students.windows.grams import Grams
from stepdown.students.windows.marks import mark, mark_line

__all__ = ["SHORT", "Window", "WindowModel", "digest", "document", "replace", "select"]

SHORT = 3_000
"""A document of at most this many characters is read whole."""

_KEPT = 1_000
"""A segment of at most this many characters is no part of the document: a question, a name."""
_MOST_CHARS = 2_000_000
"""Of a longer document the first and the last half of this many characters are read."""
_DIGEST_CHARS = 9_000
_WINDOW_CHARS = 800
_RANKS = 3
_SURE = (-4.0, -2.5, -1.0, 1.0)

Floats = NDArray[np.float64]


class Window(msgspec.Struct, frozen=True):
    """Some neighbouring units, text[start:end], and the marks of the fields they were kept for."""

    start: int
    end: int
    marks: tuple[str, ...]


def document(given: Input) -> str:
    """Return the long segments of an input as one text, at most two million characters."""
    text = "\n".join(segment.text for segment in given if len(segment.text) > _KEPT)
    if len(text) <= _MOST_CHARS:
        return text
    return f"{text[: _MOST_CHARS // 2]}\n{text[-_MOST_CHARS // 2 :]}"


def replace(given: Input, text: str) -> Input:
    """Return the input with its long segments replaced by `text`, where the first of them stood."""
    rest: list[Segment] = []
    for segment in given:
        if len(segment.text) <= _KEPT:
            rest.append(segment)
        elif text:
            rest.append(Segment(segment.part, text))
            text = ""
    return tuple(rest)


def _best(column: Floats, count: int) -> list[int]:
    """Return the `count` best windows; one that shares a unit with a better one is left out."""
    chosen: list[int] = []
    for at in np.argsort(-column, kind="stable").tolist():
        if all(abs(at - other) > 1 for other in chosen):
            chosen.append(at)
            if len(chosen) == count:
                break
    return chosen


def select(units: Places, scores: Floats, paths: Sequence[str]) -> list[Window]:
    """Return the windows to keep, from left to right; `scores` are [windows, paths] log-odds.

    Each field keeps its best three, or fewer where many fields would make the digest too long.
    Windows that touch are one.
    """
    count = max(1, min(_RANKS, _DIGEST_CHARS // (_WINDOW_CHARS * max(len(paths), 1))))
    marks: dict[int, list[str]] = {}
    for field, path in enumerate(paths):
        for rank, at in enumerate(_best(scores[:, field], count)):
            sure = int(np.searchsorted(_SURE, scores[at, field]))
            marks.setdefault(at, []).append(mark(path, rank, sure))
    windows: list[Window] = []
    for at in sorted(marks):
        start, end = units[at][0], units[min(at + 1, len(units) - 1)][1]
        if windows and windows[-1].end >= start:
            last = windows.pop()
            windows.append(Window(last.start, end, (*last.marks, *marks[at])))
        else:
            windows.append(Window(start, end, tuple(marks[at])))
    return windows


def digest(text: str, windows: Sequence[Window]) -> str:
    """Join the windows, each after the line of its marks."""
    return "\n".join(
        f"{mark_line(window.marks)}\n{text[window.start : window.end].strip()}"
        for window in windows
    )


class WindowModel(msgspec.Struct, frozen=True):
    """A linear scorer of windows: `weights` [features, fields], `bias` [fields], log-odds.

    `paths` names the fields; a window's score for one is that the field's value stands in it.
    """

    paths: tuple[str, ...]
    grams: Grams
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def score(self, text: str, units: Places) -> Floats:
        """Return the log-odds [windows, fields]; window i is unit i with the one after it."""
        logits = np.asarray(self.grams.rows(text, units) @ self.weights) + self.bias
        return np.nan_to_num(logits.astype(np.float64), nan=-50.0)

    def windows(self, text: str) -> list[Window]:
        """Return the windows of a text that are worth reading."""
        units = cut(text)
        return select(units, self.score(text, units), self.paths)

    def condense(self, given: Input) -> Input:
        """Return the input with its document replaced by a digest; a short one is left as it is."""
        text = document(given)
        return replace(given, digest(text, self.windows(text))) if len(text) > SHORT else given
