"""A text template: constant fragments in order, with holes between them.

Recognising a template is a chain of `str.find` from left to right: linear in the text, no regular
expression, no backtracking.
"""

from collections.abc import Sequence

import msgspec

__all__ = ["ANYTHING", "DATE_WORDS", "Template", "is_stamp", "match"]

_DATES = (
    "January February March April May June July August September October November December "
    "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec "
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday Mon Tue Wed Thu Fri Sat Sun AM PM UTC"
)
DATE_WORDS = tuple(_DATES.split())
"""Names of months first, the long ones and the short ones, then those of days and hours."""

_STAMP_WORDS = frozenset(DATE_WORDS)
_STAMP_CHARS = 100


class Template(msgspec.Struct, frozen=True, omit_defaults=True):
    """Constant `fragments` with a hole between each two.

    An empty first (last) fragment means that the text may begin (end) with a hole: `("",  "")` is
    one hole and matches anything; `("a",)` is the constant text "a" and no hole; `("Date: ", ". ",
    "")` has two holes. Holes may be empty. In the holes numbered in `stamps` nothing may stand but
    dates, numbers and ids.
    """

    fragments: tuple[str, ...]
    stamps: tuple[int, ...] = ()

    @property
    def constant_chars(self) -> int:
        """How many characters are constant: the more, the more specific the template."""
        return sum(map(len, self.fragments))


ANYTHING = Template(("", ""))


def is_stamp(text: str) -> bool:
    """Say whether a text has nothing but dates, times, numbers and ids: it instructs nobody."""
    return len(text) <= _STAMP_CHARS and all(
        any(map(str.isdigit, word)) or word.strip(".,") in _STAMP_WORDS for word in text.split()
    )


def match(template: Template, text: str) -> tuple[str, ...] | None:
    """Return what stands in each hole, left to right, or None when `text` is not of this template.

    Inner fragments are found at their leftmost place after the one before; the last fragment is
    taken at the end of the text.
    """
    fragments: Sequence[str] = template.fragments
    first, last = fragments[0], fragments[-1]
    if len(fragments) == 1:
        return () if text == first else None
    if not text.startswith(first) or not text.endswith(last):
        return None
    end = len(text) - len(last)
    at = len(first)
    if at > end:
        return None
    holes: list[str] = []
    for fragment in fragments[1:-1]:
        found = text.find(fragment, at, end)
        if found < 0:
            return None
        holes.append(text[at:found])
        at = found + len(fragment)
    holes.append(text[at:end])
    if not all(is_stamp(holes[hole]) for hole in template.stamps):
        return None
    return tuple(holes)
