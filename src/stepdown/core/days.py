"""Days as people say them where the year goes without saying: "March 4th", "tomorrow", "Thursday".

Which day that is depends on the day it is said. A teacher who answers with a whole date has taken
some day for today: where one and the same day explains its answers, it can be learnt from them.
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import msgspec

from stepdown.core.dates import DATE_FORMATS, MONTH, find_dates, month_number, parse_date

__all__ = ["Said", "counted_from", "find_days", "matches", "read_day", "todays"]

Kind = Literal["date", "day", "weekday", "offset"]

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAY = r"(?:mon|tues?|wednes|wed|thurs?|thu|fri|satur|sat|sun)(?:day)?"
_ORDINAL = r"\d{1,2}\s?(?:st|nd|rd|th)"
_SAID = re.compile(
    rf"""\b(?:
      (?P<m1>{MONTH})\.?\s+(?:the\s+)?(?P<d1>{_ORDINAL}|\d{{1,2}})(?![\d:]|\s*[ap]\.?m)
    | (?:the\s+)?(?P<d2>{_ORDINAL}|\d{{1,2}})\s+(?:of\s+)?(?P<m2>{MONTH})
    | the\s+(?P<d3>{_ORDINAL})
    | (?P<late>{_WEEKDAY})\s+(?:of\s+)?next\s+week
    | (?:(?P<next>next)\s+|this\s+|the\s+coming\s+)?(?P<weekday>{_WEEKDAY})
    | (?P<offset>the\s+day\s+after\s+tomorrow|tomorrow|today|tonight|yesterday)
    | in\s+(?P<days>\d{{1,2}})\s+days
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
_OFFSETS = {"tomorrow": 1, "today": 0, "tonight": 0, "yesterday": -1}
_AFTER_TOMORROW = 2
_MOST_TODAYS = 6
_MONTHS_TO_LEAP_DAY = 8 * 12
"""From one February 29 to the next where a century has none between them."""

_STRENGTH: tuple[Kind, ...] = ("date", "day", "weekday", "offset")


class Said(msgspec.Struct, frozen=True):
    """Words that name a day: `text[start:end]`.

    `number` is the day of the month (with `month`, or 0), the weekday from Monday, 0, or the days
    from today. A weekday can be that of the `later` week.
    """

    start: int
    end: int
    kind: Kind
    number: int
    month: int = 0
    later: bool = False

    @property
    def strength(self) -> int:
        """How little these words say without a day to count from; 0 says most."""
        return _STRENGTH.index(self.kind)


def _digits(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def _weekday(text: str) -> int:
    return _WEEKDAYS.index(text[:3].lower())


def _read(found: "re.Match[str]") -> Said:
    start, end = found.span()
    for at in "12":
        if found[f"m{at}"]:
            month = month_number(found[f"m{at}"])
            return Said(start, end, "date", _digits(found[f"d{at}"]), month)
    if found["d3"]:
        return Said(start, end, "day", _digits(found["d3"]))
    if found["late"]:
        return Said(start, end, "weekday", _weekday(found["late"]), later=True)
    if found["weekday"]:
        return Said(start, end, "weekday", _weekday(found["weekday"]))
    if found["days"]:
        return Said(start, end, "offset", int(found["days"]))
    words = found["offset"].lower()
    return Said(start, end, "offset", _OFFSETS.get(words, _AFTER_TOMORROW))


def find_days(text: str) -> list[Said]:
    """Return every day that is said in `text` without its year, in order.

    What is part of a whole date is none.
    """
    whole = [(start, end) for start, end, _, _ in find_dates(text)]
    said = map(_read, _SAID.finditer(text))
    return [one for one in said if not any(a < one.end and one.start < b for a, b in whole)]


def matches(said: Said, day: date) -> bool:
    """Say whether `said` can mean `day`, whatever today is."""
    if said.kind == "date":
        return (said.month, said.number) == (day.month, day.day)
    if said.kind == "day":
        return said.number == day.day
    return said.kind == "offset" or said.number == day.weekday()


def read_day(said: Said, today: date) -> date | None:
    """Return the day that `said` means today; None where there is none.

    A date or a day of the month is the next one, today included; so is a weekday, and one of next
    week counts from its Monday.
    """
    if said.kind == "offset":
        return _shifted(today, said.number)
    if said.kind == "weekday":
        if said.later:
            return _shifted(today, 7 - today.weekday() + said.number)
        return _shifted(today, (said.number - today.weekday()) % 7)
    for month in range(today.month, today.month + _MONTHS_TO_LEAP_DAY + 1):
        year, at = today.year + (month - 1) // 12, (month - 1) % 12 + 1
        if said.month in (0, at):
            try:
                found = date(year, at, said.number)
            except ValueError:
                continue
            if found >= today:
                return found
    return None


def _shifted(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def counted_from(text: str, today: date) -> date | None:
    """Return the day that a span says, by itself or counted from `today`; None without one."""
    whole = parse_date(text, "mdy")
    if whole is not None:
        return whole
    said = find_days(text)
    return read_day(min(said, key=lambda one: one.strength), today) if said else None


def todays(pairs: Sequence[tuple[str, str]]) -> list[tuple[date, str]]:
    """Return (today, name of the format) that may explain the (value, span) pairs, likeliest first.

    "Tomorrow" gives its day away; of "March 4th" only the year is known, of "the 4th" the month.
    """
    found: Counter[tuple[date, str]] = Counter()
    for value, span in pairs:
        written = _format_of(value)
        said = find_days(span) if written else []
        if written is None or not said:
            continue
        day, name = written
        one = min(said, key=lambda said: said.strength)
        if one.kind == "offset" and (today := _shifted(day, -one.number)) is not None:
            found[today, name] += 2
        elif one.kind == "date":
            found[date(day.year, 1, 1), name] += 1
        elif one.kind == "day":
            found[day.replace(day=1), name] += 1
    ranked = sorted(found, key=lambda key: (-found[key], key))
    return ranked[:_MOST_TODAYS]


def _format_of(value: str) -> tuple[date, str] | None:
    for _, _, day, _ in find_dates(value):
        for name, write in DATE_FORMATS.items():
            if write(day) == value.strip():
                return day, name
    return None
