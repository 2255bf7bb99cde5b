"""A text template: constant fragments in order, with holes between them.

Recognising a template is a chain of `str.find` from left to right: linear in the text, no regular
expression, no backtracking.
"""

from collections.abc import Sequence

import msgspec

__all__ = ["ANYTHING", "Template", "match"]


class Template(msgspec.Struct, frozen=True):
    """Constant `fragments` with a hole between each two.

    An empty first (last) fragment means that the text may begin (end) with a hole: `("",  "")` is
    one hole and matches anything; `("a",)` is the constant text "a" and no hole; `("Date: ", ". ",
    "")` has two holes. Holes may be empty.
    """

    fragments: tuple[str, ...]

    @property
    def constant_chars(self) -> int:
        """How many characters are constant: the more, the more specific the template."""
        return sum(map(len, self.fragments))


ANYTHING = Template(("", ""))


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
    return tuple(holes)
