"""Numbers and sums of money as people write them: finding, parsing and writing them."""

import re
from collections.abc import Callable
from decimal import Decimal

__all__ = ["NUMBER_FORMATS", "NUMBER_WORDS", "find_numbers", "parse_number"]

# fmt: off
_UNITS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven",
    "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen",
    "sixteen", "seventeen", "eighteen", "nineteen",
]
# fmt: on
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def _words() -> dict[str, int]:
    words = {word: number for number, word in enumerate(_UNITS)}
    for ten, word in enumerate(_TENS, 2):
        words[word] = ten * 10
        for unit in range(1, 10):
            words[f"{word}-{_UNITS[unit]}"] = ten * 10 + unit
    words.update({"hundred": 100, "a hundred": 100, "one hundred": 100, "a dozen": 12})
    return words


NUMBER_WORDS: dict[str, int] = _words()
"""English words for 0 to 100, written "twenty-five"."""

_SCALES = {"k": 3, "thousand": 3, "m": 6, "mn": 6, "million": 6, "bn": 9, "billion": 9}
_SCALE = r"(?:(?P<letter>[km]|mn|bn)(?![^\W_])|\s?(?P<word>thousand|million|billion)\b)?"
_DIGITS = r"\d+(?:[.,']\d+)*|\.\d+"
_NUMBER = re.compile(rf"(?<![\d.,])(?P<digits>{_DIGITS})(?!\d){_SCALE}", re.IGNORECASE)
_SPACED = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")
_NEGATIVE_BEFORE = re.compile(r"(?:-|\u2212|\()\s?(?:[^\W\d_]{1,3}|[$€£¥₹])?\s?$")
_THOUSANDS = re.compile(r"\d{1,3}(?:([.,'])\d{3})(?:\1\d{3})*")


def _decimal(digits: str, comma_decimal: bool) -> Decimal | None:
    """Read digits with separators; the last of two kinds of separators is the decimal one."""
    separators = [c for c in digits if not c.isdigit()]
    kinds = set(separators)
    if len(kinds) == 2:
        mark = separators[-1]
        if separators.count(mark) > 1:
            return None
        for other in kinds - {mark}:
            digits = digits.replace(other, "")
        return Decimal(digits.replace(mark, "."))
    if not kinds:
        return Decimal(digits)
    mark = separators[0]
    grouped = _THOUSANDS.fullmatch(digits) is not None
    # "1,234" is a thousand in English and 1.234 where the comma is the decimal mark.
    decimal_mark = "," if comma_decimal else "."
    if grouped and (mark != decimal_mark or len(separators) > 1):
        return Decimal(digits.replace(mark, ""))
    return Decimal(digits.replace(mark, ".")) if len(separators) == 1 and mark != "'" else None


def _value(found: "re.Match[str]", text: str, comma_decimal: bool) -> Decimal | None:
    number = _decimal(found["digits"], comma_decimal)
    if number is None:
        return None
    scale = found["letter"] or found["word"]
    if scale:
        number = number.scaleb(_SCALES[scale.lower()])
    before = _NEGATIVE_BEFORE.search(text, max(0, found.start() - 6), found.start())
    if before is None:
        return number
    if before[0][0] == "(":
        return -number if text[found.end() : found.end() + 2].lstrip().startswith(")") else number
    # A hyphen after a letter or digit joins ("INV-12", "10-12"): it is no sign.
    joined = before.start() > 0 and text[before.start() - 1].isalnum()
    return number if joined else -number


def parse_number(text: str, comma_decimal: bool = False) -> Decimal | None:
    """Return the one number in `text`, or None when there is none or more than one.

    Reads "1,234.50", "RM 1 234.50", "$5", "1.234,50", "(12.00)" as -12, "12 %" as 12, "2.5k" as
    2500 and the words zero to a hundred. `comma_decimal` decides what "1,234" and "1.234" are.
    """
    word = NUMBER_WORDS.get(" ".join(text.lower().split()))
    if word is None:
        word = NUMBER_WORDS.get("-".join(text.lower().replace("-", " ").split()))
    if word is not None:
        return Decimal(word)
    text = _SPACED.sub("", text)
    found = _NUMBER.findall(text)
    if len(found) != 1:
        return None
    match = _NUMBER.search(text)
    return None if match is None else _value(match, text, comma_decimal)


def find_numbers(text: str) -> list[tuple[int, int, Decimal]]:
    """Return (start, end, number) of every number in digits, once for each distinct reading."""
    numbers: list[tuple[int, int, Decimal]] = []
    for found in _NUMBER.finditer(text):
        readings = {_value(found, text, comma) for comma in (False, True)}
        numbers.extend((found.start(), found.end(), n) for n in readings if n is not None)
    return numbers


def _plain(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


def _short(number: Decimal) -> str:
    return f"{number.normalize():f}"


NUMBER_FORMATS: dict[str, Callable[[Decimal], int | float | str | None]] = {
    "number": _plain,
    "int": lambda n: int(n) if n == n.to_integral_value() else None,
    "rounded": lambda n: int(n.to_integral_value()),
    "hundredth": lambda n: float(n / 100),
    "0.00": lambda n: f"{n:.2f}",
    "text": _short,
    "0,0.00": lambda n: f"{n:,.2f}",
    "0,0": lambda n: f"{n:,f}",
    "$0.00": lambda n: f"${n:.2f}",
    "$0,0.00": lambda n: f"${n:,.2f}",
}
"""How a number is written back: name → writer to a JSON number or string, None where it can't."""
