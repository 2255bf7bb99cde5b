"""The line before each window of a digest: which fields it was chosen for, and how surely.

A mark is six letters: four for the field, one for the window's rank (a is the best), one for how
sure the scorer is (e is surest). It holds no digit and no word, so that no value stands in it.
"""

import re
from collections.abc import Sequence
from zlib import crc32

import msgspec

__all__ = ["Region", "field_letters", "mark", "mark_line", "regions"]

_LINE = re.compile(r"^⟦([a-z]{6}(?: [a-z]{6})*)⟧$", re.MULTILINE)


class Region(msgspec.Struct, frozen=True):
    """The part text[start:end] of a digest that follows one line of marks."""

    start: int
    end: int
    marks: tuple[str, ...]


def _letter(number: int) -> str:
    return chr(ord("a") + number)


def field_letters(path: str) -> str:
    """Return the four letters that stand for a field: the same wherever it is asked."""
    number = crc32(path.encode("utf-8", "replace"))
    return "".join(_letter(number // 26**place % 26) for place in range(4))


def mark(path: str, rank: int, sure: int) -> str:
    """Return the mark of a window chosen for a field; `rank` and `sure` are 0 to 25."""
    return f"{field_letters(path)}{_letter(rank)}{_letter(sure)}"


def mark_line(marks: Sequence[str]) -> str:
    """Return the line that says the marks."""
    return f"⟦{' '.join(marks)}⟧"


def regions(text: str) -> list[Region]:
    """Return what follows each line of marks, up to the next; none in a text without any."""
    lines = list(_LINE.finditer(text))
    ends = [*(found.start() for found in lines[1:]), len(text)]
    return [
        Region(found.end(), end, tuple(found[1].split(" ")))
        for found, end in zip(lines, ends, strict=False)
    ]
