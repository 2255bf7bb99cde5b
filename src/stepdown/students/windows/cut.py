"""Cutting a long text into units: whole lines and sentences, of about a paragraph's length."""

import re

__all__ = ["Places", "cut"]

Places = list[tuple[int, int]]
"""(start, end) of each unit or window, in characters."""

_LEAST = 240
"""Lines and sentences are joined up to this many characters: a clause stays with its heading."""
_MOST = 480
_BREAK = re.compile(r"\n+|[.;:!?][\"'”’)\]]*\s+")
_SPACE = re.compile(r"\s+")


def _pieces(text: str) -> Places:
    """Return the lines and sentences, none longer than `_MOST` where it has a blank."""
    pieces: Places = []
    start = 0
    for end in [*(found.end() for found in _BREAK.finditer(text)), len(text)]:
        while end - start > _MOST:
            blanks = [found.end() for found in _SPACE.finditer(text, start + 1, start + _MOST)]
            middle = blanks[-1] if blanks else start + _MOST
            pieces.append((start, middle))
            start = middle
        if end > start:
            pieces.append((start, end))
            start = end
    return pieces


def cut(text: str) -> Places:
    """Return the units of a text, in order and without gaps: together they are the text.

    A unit is at least 240 characters long, but for the last, and at most 720.
    """
    units: Places = []
    start = 0
    for _, end in _pieces(text):
        if end - start >= _LEAST:
            units.append((start, end))
            start = end
    if start < len(text):
        units.append((start, len(text)))
    return units
