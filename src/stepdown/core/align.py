"""Alignment: where in the input a value stands, and which normaliser turns the span into it."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, cast

import msgspec

from stepdown.core.amounts import NUMBER_FORMATS, NUMBER_WORDS, find_numbers, parse_number
from stepdown.core.dates import DATE_FORMATS, find_dates, find_times, parse_time
from stepdown.core.days import find_days, matches
from stepdown.core.normalise import DAY, NORMALISERS, TEXTUAL, TIME_FORMATS
from stepdown.core.records import same_value

__all__ = ["LOOSE", "Alignment", "align"]

LOOSE = ""
"""The normaliser of an alignment by letters and digits alone that none reproduces exactly."""

_MAX_PLACES = 32
# Scripts without spaces between words: each character is a word of its own.
_UNSPACED = "\u0e00-\u0eff\u2e80-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"\d+|[{_UNSPACED}]|[^\W\d_{_UNSPACED}]+")


class Alignment(msgspec.Struct, frozen=True):
    """`text[start:end]` put through `normaliser` gives the value.

    Where `normaliser` is `DAY` it does so once one knows what day was today. Where it is `LOOSE`
    the span has the value's letters and digits, but differs from it in punctuation or spacing.
    """

    start: int
    end: int
    normaliser: str


class _Words(msgspec.Struct, frozen=True):
    """A text's words run together, lower case: word i is text[starts[i]:ends[i]], at offsets[i]."""

    run: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    offsets: tuple[int, ...]


def _fold(text: str) -> _Words:
    starts: list[int] = []
    ends: list[int] = []
    offsets: list[int] = []
    words: list[str] = []
    at = 0
    for found in _WORD.finditer(text):
        word = found[0].lower()
        starts.append(found.start())
        ends.append(found.end())
        offsets.append(at)
        words.append(word)
        at += len(word)
    offsets.append(at)
    return _Words("".join(words), tuple(starts), tuple(ends), tuple(offsets))


# One document is aligned with each of its fields in turn: what is known of it is kept meanwhile.
_folded = lru_cache(maxsize=8)(_fold)


@lru_cache(maxsize=8)
def _numbers(text: str) -> dict[Decimal, list[tuple[int, int]]]:
    places: dict[Decimal, list[tuple[int, int]]] = {}
    for start, end, number in find_numbers(text):
        places.setdefault(abs(number), []).append((start, end))
    return places


_dates = lru_cache(maxsize=8)(find_dates)
_times = lru_cache(maxsize=8)(find_times)
_days = lru_cache(maxsize=8)(find_days)


def _inside_number(text: str, start: int, end: int) -> bool:
    """Say whether digits at either end go on beyond a point or comma: "9.00" in "1,239.00"."""
    before = text[max(0, start - 2) : start]
    after = text[end : end + 2]
    joined_before = len(before) == 2 and before[1] in ".," and before[0].isdigit()
    joined_after = len(after) == 2 and after[0] in ".," and after[1].isdigit()
    return (joined_before and text[start].isdigit()) or (joined_after and text[end - 1].isdigit())


def _edges(value: str) -> tuple[str, str]:
    found = list(_WORD.finditer(value))
    return value[: found[0].start()], value[found[-1].end() :]


def _word_places(value: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) where the words of `value` stand in `text`, from edge to edge of words."""
    folded, wanted = _folded(text), _fold(value)
    lead, trail = _edges(value)
    at = folded.run.find(wanted.run)
    while at >= 0:
        first = bisect_left(folded.offsets, at)
        last = bisect_left(folded.offsets, at + len(wanted.run))
        whole = folded.offsets[first] == at and folded.offsets[last] == at + len(wanted.run)
        if whole:
            start, end = folded.starts[first], folded.ends[last - 1]
            if not _inside_number(text, start, end):
                if lead and text.startswith(lead, start - len(lead)) and start >= len(lead):
                    start -= len(lead)
                if trail and text.startswith(trail, end):
                    end += len(trail)
                yield start, end
        at = folded.run.find(wanted.run, at + 1)


def _symbol_places(value: str, text: str) -> Iterator[tuple[int, int]]:
    at = text.find(value)
    while at >= 0:
        yield at, at + len(value)
        at = text.find(value, at + len(value))


def _same_groups(value: str, span: str) -> bool:
    """Say whether digits are grouped alike: 1.0 is not 10, nor 1/12 11/2."""
    return re.findall(r"\d+", value) == re.findall(r"\d+", span)


def _textual(value: str, text: str) -> list[Alignment]:
    wanted = value.strip()
    if not wanted:
        return []
    places = _word_places if _WORD.search(wanted) else _symbol_places
    wordless = not any(c.isalpha() for c in wanted)
    by_rank: dict[int, list[Alignment]] = {}
    for count, (start, end) in enumerate(places(wanted, text)):
        if count == _MAX_PLACES:
            break
        span = text[start:end]
        if wordless and not _same_groups(wanted, span):
            continue
        rank, name = len(TEXTUAL), LOOSE
        for at, candidate in enumerate(TEXTUAL):
            if same_value(NORMALISERS[candidate](span), wanted):
                rank, name = at, candidate
                break
        if name == LOOSE and (wordless or end - start > 2 * len(wanted) + 20):
            continue
        by_rank.setdefault(rank, []).append(Alignment(start, end, name))
    return by_rank[min(by_rank)] if by_rank else []


def _first_reading(
    value: Any, text: str, spans: Sequence[tuple[int, int]], names: Sequence[str]
) -> list[Alignment]:
    found: dict[tuple[int, int], Alignment] = {}
    for start, end in spans[:_MAX_PLACES]:
        for name in names:
            if same_value(NORMALISERS[name](text[start:end]), value):
                found.setdefault((start, end), Alignment(start, end, name))
                break
    return list(found.values())


def _with_sign(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen a number's span over the sign or the parentheses that make it negative."""
    before = re.search(r"(?:-|\u2212|\()\s?(?:[^\W\d_]{1,3}|[$€£¥₹])?\s?$", text[:start][-6:])
    if before is None:
        return start, end
    start -= len(before[0])
    return start, end + 1 if text[start] == "(" and text[end : end + 1] == ")" else end


_NUMBER_NAMES = tuple(
    f"{prefix}>{name}" for prefix in ("number", "number:comma") for name in NUMBER_FORMATS
)


def _wanted_number(value: Any) -> Decimal | None:
    if isinstance(value, str):
        return parse_number(value)
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _numeric(value: Any, text: str) -> list[Alignment]:
    number = _wanted_number(value)
    if number is None or not number.is_finite():
        return []
    places = _numbers(text)
    spans = list(places.get(abs(number), ()))
    if number < 0:
        spans = [_with_sign(text, start, end) for start, end in spans]
    found = _first_reading(value, text, spans, _NUMBER_NAMES)
    if found:
        return found
    for reading in (abs(number) * 100, *_rounds_to(number, places)):
        found = _first_reading(value, text, places.get(reading, ()), _NUMBER_NAMES)
        if found:
            return found
    words = [word for word, at in NUMBER_WORDS.items() if at == number]
    spans = [place for word in words for place in _word_places(word, text)]
    return _first_reading(value, text, spans, _NUMBER_NAMES)


def _rounds_to(number: Decimal, places: dict[Decimal, list[tuple[int, int]]]) -> list[Decimal]:
    if number != number.to_integral_value():
        return []
    return [n for n in places if n != abs(number) and n.to_integral_value() == abs(number)]


def _dated(value: str, text: str) -> list[Alignment]:
    wanted = {date for _, _, date, _ in find_dates(value)}
    if not wanted:
        return []
    found: dict[tuple[int, int], Alignment] = {}
    for start, end, date, order in _dates(text):
        if date not in wanted:
            continue
        for name, write in DATE_FORMATS.items():
            if write(date) == value.strip():
                found.setdefault((start, end), Alignment(start, end, f"date:{order}>{name}"))
                break
    return list(found.values())[:_MAX_PLACES] or _said(value, text)


def _said(value: str, text: str) -> list[Alignment]:
    """Return where the day is said without its year, in the words that say most."""
    written = [day for _, _, day, order in find_dates(value) if order == "ymd"]
    wanted = written or [day for _, _, day, _ in find_dates(value)]
    if not any(write(wanted[0]) == value.strip() for write in DATE_FORMATS.values()):
        return []
    said = [one for one in _days(text) if matches(one, wanted[0])]
    best = min((one.strength for one in said), default=0)
    return [Alignment(one.start, one.end, DAY) for one in said if one.strength == best][
        :_MAX_PLACES
    ]


def _timed(value: str, text: str) -> list[Alignment]:
    clock = parse_time(value)
    if clock is None:
        return []
    names = [f"time>{name}" for name in TIME_FORMATS]
    spans = [(start, end) for start, end, found in _times(text) if found == clock]
    return _first_reading(value, text, spans, names)


_LONG_DIGITS = re.compile(r"\+?\(?\d[\d\s().\-/]{5,20}\d")


def _dialled(value: str, text: str) -> list[Alignment]:
    if not (value.isdigit() and len(value) >= 7):
        return []
    spans = [found.span() for found in _LONG_DIGITS.finditer(text)]
    return _first_reading(value, text, spans, ("digits",))


_READERS: tuple[Callable[[str, str], list[Alignment]], ...] = (
    _textual,
    _dated,
    _numeric,
    _timed,
    _dialled,
)


def _scalar(value: Any, text: str) -> list[Alignment]:
    if isinstance(value, bool) or value is None:
        # "yes" and "no" stand in most texts for other reasons: a boolean is a choice, not a span.
        return []
    if isinstance(value, int | float):
        return _numeric(value, text)
    if not isinstance(value, str):
        return []
    for read in _READERS:
        found = read(value, text)
        if found:
            return found
    return []


def align(value: Any, text: str, hints: Sequence[str] = ()) -> list[Alignment]:
    """Return where `value` stands in `text`: every place of the closest kind, from left to right.

    A string is sought by its words (so that case, line breaks and punctuation may differ), then as
    a date, a number, a time of day or a long row of digits; a number by its value, in digits or in
    words. A boolean or null is never aligned. A list gives one place per item, each item at a place
    of its own where it has one, and nothing when an item stands nowhere. `hints` are normalisers
    preferred where several explain the same span. Offsets are in characters.
    """
    if isinstance(value, list):
        return _items(cast("list[Any]", value), text, hints)
    found = sorted(_scalar(value, text), key=lambda a: (a.start, a.end))
    return [_preferred(alignment, value, text, hints) for alignment in found]


def _preferred(found: Alignment, value: Any, text: str, hints: Sequence[str]) -> Alignment:
    for hint in hints:
        normalise = NORMALISERS.get(hint)
        if normalise and same_value(normalise(text[found.start : found.end]), value):
            return Alignment(found.start, found.end, hint)
    return found


def _items(values: list[Any], text: str, hints: Sequence[str]) -> list[Alignment]:
    taken: set[tuple[int, int]] = set()
    chosen: list[Alignment] = []
    for value in values:
        found = [] if isinstance(value, list) else align(value, text, hints)
        if not found:
            return []
        free = [a for a in found if (a.start, a.end) not in taken]
        place = free[0] if free else found[0]
        taken.add((place.start, place.end))
        chosen.append(place)
    return chosen
