"""Normalisers: deterministic functions from a span of the input to the value in the answer.

Each is a parser and a writer; `NORMALISERS` holds every pairing under a stable name such as
"date:dmy>iso". Days that are said without a year have a today in theirs: "day@2026-03-01>iso". A
task's anatomy and a student's files name them, so a name is never reused.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import lru_cache, partial
from typing import Any

from stepdown.core.amounts import NUMBER_FORMATS, parse_number
from stepdown.core.dates import DATE_FORMATS, ORDERS, Order, parse_date, parse_time
from stepdown.core.days import counted_from, todays
from stepdown.core.records import same_value

__all__ = [
    "DAY",
    "IDENTITY",
    "NORMALISERS",
    "TEXTUAL",
    "TIME_FORMATS",
    "Normaliser",
    "best_normaliser",
    "normaliser_of",
]

Normaliser = Callable[[str], Any]
"""span → JSON value, or None where the span can't be read that way."""

IDENTITY = "identity"
DAY = "day@"
_SAMPLE = 400
_EDGE = re.compile(r"^[\W_]+|[\W_]+$")
_YES = frozenset({"yes", "y", "true", "yeah", "yep", "yup", "sure", "ok", "okay", "on", "x", "✓"})
_NO = frozenset({"no", "n", "false", "nope", "nah", "not", "none", "off", "without"})


def _squash(span: str) -> str:
    return " ".join(span.split())


def _trim(span: str) -> str:
    return _EDGE.sub("", _squash(span))


def _sentence(span: str) -> str:
    text = _squash(span)
    return text[:1].upper() + text[1:].lower()


def _digits(span: str) -> str | None:
    return "".join(c for c in span if c.isdigit()) or None


def _commas(span: str) -> str:
    """Join lines with ", ", as an address is written on one line."""
    lines = [_squash(line).rstrip(",;") for line in span.splitlines()]
    return ", ".join(line for line in lines if line)


_STRINGS: dict[str, Normaliser] = {
    IDENTITY: lambda span: span,
    "squash": _squash,
    "lower": lambda span: _squash(span).lower(),
    "upper": lambda span: _squash(span).upper(),
    "title": lambda span: _squash(span).title(),
    "sentence": _sentence,
    "trim": _trim,
    "trim lower": lambda span: _trim(span).lower(),
    "trim upper": lambda span: _trim(span).upper(),
    "commas": _commas,
    "snake": lambda span: _trim(span).lower().replace(" ", "_"),
    "hyphens": lambda span: _trim(span).lower().replace(" ", "-"),
    "no spaces": lambda span: "".join(span.split()),
    "no spaces upper": lambda span: "".join(span.split()).upper(),
    "alphanumeric": lambda span: "".join(c for c in span if c.isalnum()) or None,
    "digits": _digits,
}


TEXTUAL: tuple[str, ...] = tuple(_STRINGS)
"""The normalisers that keep the span's letters and digits, in order of preference."""


def _number(span: str, comma_decimal: bool, write: Callable[..., Any]) -> Any:
    number = parse_number(span, comma_decimal)
    return None if number is None else write(number)


def _date(span: str, order: Order, write: Callable[..., Any]) -> str | None:
    parsed = parse_date(span, order)
    return None if parsed is None else write(parsed)


def _time(span: str, write: Callable[[int, int], str]) -> str | None:
    parsed = parse_time(span)
    return None if parsed is None else write(*parsed)


def _yes_no(span: str, yes: Any, no: Any) -> Any:
    word = _trim(span).lower()
    if word in _YES:
        return yes
    return no if word in _NO else None


TIME_FORMATS: dict[str, Callable[[int, int], str]] = {
    "hh:mm": lambda hour, minute: f"{hour:02}:{minute:02}",
    "hh:mm:00": lambda hour, minute: f"{hour:02}:{minute:02}:00",
    "h:mm pm": lambda hour, minute: f"{(hour - 1) % 12 + 1}:{minute:02} {'ap'[hour >= 12]}m",
    "h:mm PM": lambda hour, minute: f"{(hour - 1) % 12 + 1}:{minute:02} {'AP'[hour >= 12]}M",
}
_ANSWERS: dict[str, tuple[Any, Any]] = {
    "bool": (True, False),
    "Yes": ("Yes", "No"),
    "yes": ("yes", "no"),
    "True": ("True", "False"),
    "true": ("true", "false"),
    "Y": ("Y", "N"),
}


def _table() -> dict[str, Normaliser]:
    table = dict(_STRINGS)
    for prefix, comma in (("number", False), ("number:comma", True)):
        for name, write in NUMBER_FORMATS.items():
            table[f"{prefix}>{name}"] = partial(_number, comma_decimal=comma, write=write)
    for order in ORDERS:
        for name, write_date in DATE_FORMATS.items():
            table[f"date:{order}>{name}"] = partial(_date, order=order, write=write_date)
    for name, write_time in TIME_FORMATS.items():
        table[f"time>{name}"] = partial(_time, write=write_time)
    for name, (yes, no) in _ANSWERS.items():
        table[f"yesno>{name}"] = partial(_yes_no, yes=yes, no=no)
    return table


NORMALISERS: dict[str, Normaliser] = _table()
"""Name → normaliser, in order of preference where two of them do equally well."""


def _day(span: str, today: date, write: Callable[..., Any]) -> str | None:
    found = counted_from(span, today)
    return None if found is None else write(found)


@lru_cache(maxsize=256)
def normaliser_of(name: str) -> Normaliser:
    """Return the normaliser of that name.

    Raises:
        KeyError: there is none.
    """
    if not name.startswith(DAY):
        return NORMALISERS[name]
    today, _, written = name.removeprefix(DAY).partition(">")
    try:
        return partial(_day, today=date.fromisoformat(today), write=DATE_FORMATS[written])
    except ValueError:
        raise KeyError(name) from None


def _counted(sample: Sequence[tuple[Any, str]]) -> list[str]:
    """Return the names of normalisers that count days from a today that the sample suggests."""
    texts = [(value, span) for value, span in sample if isinstance(value, str)]
    return [f"{DAY}{today.isoformat()}>{written}" for today, written in todays(texts)]


def _better(
    sample: Sequence[tuple[Any, str]], names: Iterable[str], best: tuple[str, int]
) -> tuple[str, int]:
    """Return the first name that reproduces most values, and how many; `best` where none does."""
    for name in names:
        normalise = normaliser_of(name)
        misses_allowed = len(sample) - best[1]
        hits = 0
        for value, span in sample:
            if same_value(normalise(span), value):
                hits += 1
            else:
                misses_allowed -= 1
                if misses_allowed <= 0:
                    break
        if hits > best[1]:
            best = name, hits
    return best


def best_normaliser(pairs: Sequence[tuple[Any, str]]) -> tuple[str, float]:
    """Return the normaliser that reproduces most values from their spans, and its rate in [0, 1].

    `pairs` are (value, span); a sample spread over them is tried. Of two equal ones the earlier in
    `NORMALISERS` is taken: identity first. Without pairs: identity, 0.0.
    """
    if not pairs:
        return IDENTITY, 0.0
    step = max(1, len(pairs) // _SAMPLE)
    sample = pairs[::step]
    best, most = _better(sample, NORMALISERS, (IDENTITY, 0))
    if most < len(sample):
        # Only where no other explains everything: finding dates in every value takes its time.
        best, most = _better(sample, _counted(sample), (best, most))
    return best, most / len(sample)
