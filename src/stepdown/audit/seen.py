"""What stood in a hole of a template, call for call: only what was seen to vary stays a hole.

Grouping opens a hole wherever a date, an amount or an id stands, so that tomorrow's calls find
their group. A student's contract must not: a number that never moved is part of the instruction.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from stepdown.audit.tokens import cuts
from stepdown.core.templates import Template, is_stamp, match

__all__ = ["ANY", "Seen", "carried", "closed", "meet", "seen"]

_WINDOW = 2000  # characters at either end of a value in which its constant edges are looked for
_BEYOND = 200  # characters behind a place that may decide whether a text can be cut there
_HOLE = "\x00"


class Seen(msgspec.Struct, frozen=True):
    """All values that one hole had: one text, or what all of them begin and end with.

    `heads` and `tails` are the places, counted from either end, where every value may be cut
    without cutting a word, a date or an id. The shortest value has `shortest` characters; with
    `stamp` all are dates, numbers and ids; `inner` words and numbers stand in each of them just
    once, in this order. In whatever order values meet, the outcome is the same.
    """

    head: str
    tail: str
    shortest: int
    stamp: bool
    varied: bool = False
    heads: frozenset[int] = frozenset()
    tails: frozenset[int] = frozenset()
    inner: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether nothing of it is constant any more, whatever comes."""
        return self.varied and not (self.head or self.tail or self.stamp or self.inner)

    def edges(self) -> tuple[str, str]:
        """Return the words that all values begin and end with, and that overlap in none."""
        room = self.shortest - len(self.head)
        tail = max((at for at in self.tails if at <= room), default=0)
        return _telling(self.head), _telling(self.tail[len(self.tail) - tail :])


ANY = Seen("", "", 0, False, True)
"""What shows nothing."""


def seen(value: str, *, inner: bool = False) -> Seen:
    """Return what one value shows, with or without the words inside."""
    words = _once(_words(value)) if inner and len(value) <= _WINDOW else ()
    return Seen(value, value, len(value), is_stamp(value), inner=words)


def meet(one: Seen, other: Seen) -> Seen:
    """Return what the values of both show."""
    if one.is_open or (not one.varied and not other.varied and one.head == other.head):
        return one
    head = _shared(one.head, other.head)
    tail = _shared(one.tail[::-1], other.tail[::-1])
    heads = _heads(one, len(head)) & _heads(other, len(head)) if head else frozenset[int]()
    tails = _tails(one, len(tail)) & _tails(other, len(tail)) if tail else frozenset[int]()
    return Seen(
        head[: max(heads, default=0)],
        tail[: max(tails, default=0)][::-1],
        min(one.shortest, other.shortest),
        one.stamp and other.stamp,
        True,
        heads,
        tails,
        _in_order(one.inner, other.inner),
    )


def carried(narrow: Template, seens: Sequence[Seen], wide: Template) -> list[Seen]:
    """Return what stood in the holes of a wider template, by what stood in those of `narrow`."""
    holes = match(wide, _HOLE.join(narrow.fragments))
    if holes is None or sum(hole.count(_HOLE) for hole in holes) != len(seens):
        return [ANY] * (len(wide.fragments) - 1)
    left = iter(seens)
    return [_composed(hole.split(_HOLE), left) for hole in holes]


def closed(
    template: Template, seens: Sequence[Seen], *, edges: bool, stamps: bool, inner: bool = False
) -> Template:
    """Return the template with holes only where something varied.

    With `edges` the words that every value of a hole begins or ends with are constant too, with
    `inner` those that all have inside; with `stamps` a hole that only dates, numbers and ids stood
    in takes nothing else.
    """
    fragments = [template.fragments[0]]
    only: list[int] = []
    for one, after in zip(seens, template.fragments[1:], strict=True):
        if not one.varied:
            fragments[-1] += one.head + after
            continue
        head, tail = one.edges() if edges else ("", "")
        words = [word for word in one.inner if inner and word not in _words(head + tail)]
        if stamps and one.stamp and not (head or tail or words):
            only.append(len(fragments) - 1)
        fragments[-1] += head
        fragments += [*words, tail + after]
    return Template(tuple(fragments), tuple(only))


def _composed(between: Sequence[str], inside: Iterator[Seen]) -> Seen:
    """Return what stood in a hole made of constant texts with narrower holes between them."""
    holes = [next(inside) for _ in between[1:]]
    if list(between) == ["", ""]:
        return holes[0]
    head, tail = between[0], between[-1]
    for hole, after in zip(holes, between[1:], strict=True):
        head += hole.head
        if hole.varied:
            break
        head += after
    for hole, before in zip(holes[::-1], between[-2::-1], strict=True):
        tail = hole.tail + tail
        if hole.varied:
            break
        tail = before + tail
    if not any(hole.varied for hole in holes):
        return seen(head, inner=True)
    words = _words(between[0])
    for hole, after in zip(holes, between[1:], strict=True):
        words += [*hole.inner, *_words(after)]
    shortest = sum(map(len, between)) + sum(hole.shortest for hole in holes)
    ends = frozenset(len(tail) - at for at in cuts(tail))
    return Seen(head, tail, shortest, False, True, frozenset(cuts(head)), ends, _once(words))


def _telling(text: str) -> str:
    """Return an edge with a word or number in it; a full stop or a blank is the data's own."""
    return text if any(map(str.isalnum, text)) else ""


def _words(text: str) -> list[str]:
    """Return the words, dates and numbers of a text, each with the blank before it."""
    found = (text[start:end] for start, end in pairwise(sorted(set(cuts(text)))))
    return [word for word in found if any(map(str.isalnum, word))]


def _once(words: Sequence[str]) -> tuple[str, ...]:
    counts = Counter(words)
    return tuple(word for word in words if counts[word] == 1)


def _in_order(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """Return the words that both have, less those that change places."""
    ours = [word for word in one if word in other]
    theirs = [word for word in other if word in one]
    return tuple(word for word, same in zip(ours, theirs, strict=True) if word == same)


def _shared(one: str, other: str) -> str:
    one, other = one[:_WINDOW], other[:_WINDOW]
    if other.startswith(one):
        return one
    size = min(len(one), len(other))
    return one[: next((at for at in range(size) if one[at] != other[at]), size)]


def _heads(one: Seen, limit: int) -> frozenset[int]:
    found = one.heads if one.varied else cuts(one.head[: limit + _BEYOND])
    return frozenset(at for at in found if at <= limit)


def _tails(one: Seen, limit: int) -> frozenset[int]:
    if one.varied:
        return frozenset(at for at in one.tails if at <= limit)
    end = one.tail[-limit - _BEYOND :]
    return frozenset(len(end) - at for at in cuts(end) if len(end) - at <= limit)
