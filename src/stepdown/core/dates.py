"""Dates and times as people write them: finding, parsing and writing them, in English."""

import re
from collections.abc import Callable
from datetime import date
from typing import Literal

__all__ = [
    "DATE_FORMATS",
    "MONTH",
    "ORDERS",
    "Order",
    "find_dates",
    "find_times",
    "month_number",
    "parse_date",
    "parse_time",
]

Order = Literal["dmy", "mdy", "ymd"]
ORDERS: tuple[Order, ...] = ("dmy", "mdy", "ymd")

# fmt: off
_MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December",
]
# fmt: on
_MONTH_NUMBER = {name[:3].lower(): number for number, name in enumerate(_MONTHS, 1)}
MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
"""A pattern of the months' names and their short forms."""
# Optical character recognition tears ordinals apart: "20t h day".
_DAY = r"\d{1,2}(?:\s?(?:st|nd|rd|th|s\st|n\sd|r\sd|t\sh)\b)?"
_YEAR = r"(?:\d{4}|'?\d{2})(?!\d)"
_DATE = re.compile(
    rf"""(?<![\d.])(?:
      (?P<y1>\d{{4}})[-/.](?P<m1>\d{{1,2}})[-/.](?P<d1>\d{{1,2}})(?!\d)
    | (?P<a>\d{{1,2}})\s?(?P<sep>[-/.])\s?(?P<b>\d{{1,2}})\s?(?P=sep)\s?(?P<c>\d{{4}}|\d{{2}})(?!\d)
    | (?P<d2>{_DAY})[\s\-/.,]*(?:day\s+of[\s\-_]+|of\s+)?(?P<m2>{MONTH})\b[\s\-/.,']*
      (?P<y2>{_YEAR})
    | (?P<m3>\b{MONTH})\b[\s\-/.]*(?P<d3>{_DAY})[\s\-/.,]+(?P<y3>{_YEAR})
    | (?P<y4>\d{{4}})[\s\-/.,]+(?P<m4>{MONTH})\b[\s\-/.,]*(?P<d4>{_DAY})
    | (?P<y5>(?:19|20)\d\d)(?P<m5>\d\d)(?P<d5>\d\d)(?!\d)
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_TIME = re.compile(
    r"(?<![\d:.])(?P<hour>\d{1,2})(?:(?P<mark>[:.h])(?P<minute>\d{2})(?::\d{2})?)?"
    r"\s?(?P<half>a\.?m\b\.?|p\.?m\b\.?)?(?![\d:])",
    re.IGNORECASE,
)
_NAMED_TIMES = {"noon": (12, 0), "midnight": (0, 0)}
_NAMED_TIME = re.compile(r"\b(noon|midnight)\b", re.IGNORECASE)


def month_number(name: str) -> int:
    """Return 1 to 12 for what `MONTH` matches."""
    return _MONTH_NUMBER[name[:3].lower()]


def _year(text: str) -> int:
    text = text.lstrip("'")
    if len(text) == 4:
        return int(text)
    # Two digits: 70-99 are the last century's, as POSIX strptime has it within a year.
    return int(text) + (1900 if int(text) >= 70 else 2000)


def _day(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def _valid(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _numeric(a: str, b: str, c: str, order: Order) -> date | None:
    if len(c) == 2 and order == "ymd":
        return _valid(_year(a.zfill(2)), int(b), int(c))
    day, month = (b, a) if order == "mdy" else (a, b)
    year = _year(c)
    # 25/12 can only be day first: the order is a preference where both readings are dates.
    return _valid(year, int(month), int(day)) or _valid(year, int(day), int(month))


def _read(found: "re.Match[str]", order: Order) -> date | None:
    group = found.groupdict()
    if group["a"]:
        return _numeric(group["a"], group["b"], group["c"], order)
    for at in "12345":
        if group[f"y{at}"]:
            month = group[f"m{at}"]
            number = int(month) if month.isdigit() else month_number(month)
            return _valid(_year(group[f"y{at}"]), number, _day(group[f"d{at}"]))
    return None


def parse_date(text: str, order: Order) -> date | None:
    """Return the first date in `text`, or None.

    `order` decides between day, month and year where only digits are given (04/05/2017), unless
    one reading alone is a date. What stands around the date (a weekday, a time) is ignored.
    """
    for found in _DATE.finditer(text):
        parsed = _read(found, order)
        if parsed:
            return parsed
    return None


def find_dates(text: str) -> list[tuple[int, int, date, Order]]:
    """Return (start, end, date, order) of every date in `text`, once for each distinct reading."""
    readings: list[tuple[int, int, date, Order]] = []
    for found in _DATE.finditer(text):
        seen: set[date] = set()
        for order in ORDERS:
            parsed = _read(found, order)
            if parsed and parsed not in seen:
                seen.add(parsed)
                readings.append((found.start(), found.end(), parsed, order))
    return readings


DATE_FORMATS: dict[str, Callable[[date], str]] = {
    "iso": date.isoformat,
    "dd/mm/yyyy": lambda d: f"{d.day:02}/{d.month:02}/{d.year}",
    "mm/dd/yyyy": lambda d: f"{d.month:02}/{d.day:02}/{d.year}",
    "dd-mm-yyyy": lambda d: f"{d.day:02}-{d.month:02}-{d.year}",
    "mm-dd-yyyy": lambda d: f"{d.month:02}-{d.day:02}-{d.year}",
    "dd.mm.yyyy": lambda d: f"{d.day:02}.{d.month:02}.{d.year}",
    "yyyy/mm/dd": lambda d: f"{d.year}/{d.month:02}/{d.day:02}",
    "yyyymmdd": lambda d: f"{d.year}{d.month:02}{d.day:02}",
    "dd/mm/yy": lambda d: f"{d.day:02}/{d.month:02}/{d.year % 100:02}",
    "mm/dd/yy": lambda d: f"{d.month:02}/{d.day:02}/{d.year % 100:02}",
    "d/m/yyyy": lambda d: f"{d.day}/{d.month}/{d.year}",
    "m/d/yyyy": lambda d: f"{d.month}/{d.day}/{d.year}",
    "m/d/yy": lambda d: f"{d.month}/{d.day}/{d.year % 100:02}",
    "d month yyyy": lambda d: f"{d.day} {_MONTHS[d.month - 1]} {d.year}",
    "month d, yyyy": lambda d: f"{_MONTHS[d.month - 1]} {d.day}, {d.year}",
    "d mon yyyy": lambda d: f"{d.day:02} {_MONTHS[d.month - 1][:3]} {d.year}",
    "mon d, yyyy": lambda d: f"{_MONTHS[d.month - 1][:3]} {d.day}, {d.year}",
    "iso midnight": lambda d: f"{d.isoformat()}T00:00:00",
    "iso midnight utc": lambda d: f"{d.isoformat()}T00:00:00Z",
}
"""How a date is written back: name → writer. English month names, whatever the locale."""


def _clock(found: "re.Match[str]") -> tuple[int, int] | None:
    hour, minute, half = (
        int(found["hour"]),
        int(found["minute"] or 0),
        (found["half"] or "").lower(),
    )
    # A bare number is no time, and "12.31" is a date or a sum more often than one.
    if not half and found["mark"] in (None, "."):
        return None
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    return (hour, minute) if hour < 24 and minute < 60 else None


def find_times(text: str) -> list[tuple[int, int, tuple[int, int]]]:
    """Return (start, end, (hour, minute)) of every time of day in `text`, on the 24-hour clock."""
    times: list[tuple[int, int, tuple[int, int]]] = []
    for found in _TIME.finditer(text):
        clock = _clock(found)
        if clock:
            times.append((found.start(), found.end(), clock))
    times.extend(
        (found.start(), found.end(), _NAMED_TIMES[found[1].lower()])
        for found in _NAMED_TIME.finditer(text)
    )
    return sorted(times)


def parse_time(text: str) -> tuple[int, int] | None:
    """Return (hour, minute) of the first time of day in `text`, or None."""
    times = find_times(text)
    return times[0][2] if times else None
