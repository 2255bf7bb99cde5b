"""How figures and log text are written for people: one spelling for terminal and HTML alike.

Every function takes None for unknown and says so. Text from a log is hostile: `visible` makes it
safe to print (no control, no direction override); escaping for HTML is the template's business.
"""

import math
import unicodedata

__all__ = [
    "UNKNOWN",
    "bytes_size",
    "count",
    "days",
    "milliseconds",
    "money",
    "percent",
    "plural",
    "share",
    "share_range",
    "shortened",
    "visible",
]

UNKNOWN = "unknown"

_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
# Joiners inside emoji and scripts that need them: harmless, and dropping them breaks the word.
_KEPT = frozenset("\n\t\u200c\u200d")

_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
_LONG = ((365.25, "year"), (30.4375, "month"), (1.0, "day"))


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def money(usd: float | None) -> str:
    """Return US dollars: `$1,234`, `$12.50`, `$0.0031` (below $1, two significant digits)."""
    if usd is None or not _known(usd):
        return UNKNOWN
    sign, amount = ("-" if usd < 0 else ""), abs(usd)
    if amount == 0:
        return "$0"
    if amount >= 1e9:
        return f"{sign}${amount / 1e9:,.1f} bn"
    if amount >= 1e7:
        return f"{sign}${amount / 1e6:,.1f} M"
    if amount >= 999.995:
        return f"{sign}${amount:,.0f}"
    if amount >= 0.995:
        return f"{sign}${amount:.2f}"
    if amount < 1e-6:
        return f"< {sign}$0.000001"
    return f"{sign}${amount:.{-math.floor(math.log10(amount)) + 1}f}"


def share(value: float | None, digits: int = 1) -> str:
    """Return a share in [0, 1] as `93.1 %`; only exactly 0 and 1 are written `0 %` and `100 %`."""
    if value is None or not _known(value):
        return UNKNOWN
    if value in (0, 1):
        return f"{value * 100:.0f} %"
    text, least = f"{value * 100:.{digits}f}", 10.0**-digits
    if value < 1 and float(text) == 100:
        return f"> {100 - least:.{digits}f} %"
    if value > 0 and float(text) == 0:
        return f"< {least:.{digits}f} %"
    return f"{text} %"


def percent(value: float | None) -> str:
    """Return a share that somebody chose (a budget, a level) without idle decimals: `2 %`."""
    if value is None or not _known(value):
        return UNKNOWN
    return f"{round(value * 100, 4):g} %"


def share_range(low: float, high: float) -> str:
    """Return an interval of shares: `91.2 to 93.4 %`."""
    if not (_known(low) and _known(high)):
        return UNKNOWN
    return f"{low * 100:.1f} to {high * 100:.1f} %"


def count(number: float | None) -> str:
    """Return a whole number with thousands separators: `12,345`."""
    if number is None or not _known(number):
        return UNKNOWN
    return f"{number:,.0f}"


def plural(number: int, noun: str) -> str:
    """Return `1 task`, `2 tasks`; the noun takes a plain -s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def milliseconds(value: float | None) -> str:
    """Return a duration, given in milliseconds: `0.025 ms`, `812 ms`, `1.3 s`, `2.1 min`."""
    if value is None or not _known(value):
        return UNKNOWN
    if value == 0 or value >= 99.5:
        return _seconds(value)
    return f"{value:.2g} ms" if value >= 0.001 else "< 0.001 ms"


def _seconds(value: float) -> str:
    if value < 999.5:
        return f"{value:.0f} ms"
    if value < 99_950:
        return f"{value / 1000:.1f} s"
    return f"{value / 60_000:,.1f} min"


def days(value: float | None) -> str:
    """Return a time span given in days: `less than a day`, `12 days`, `4 months`, `2.5 years`."""
    if value is None or not _known(value):
        return UNKNOWN
    if value < 1:
        return "less than a day"
    for unit, name in _LONG:
        if value >= 2 * unit or name == "day":
            amount = f"{value / unit:,.1f}".removesuffix(".0")
            return f"{amount} {name}" if amount == "1" else f"{amount} {name}s"
    return UNKNOWN


def bytes_size(value: int | None) -> str:
    """Return a size in decimal units: `640 B`, `650.0 kB`, `12.3 MB`."""
    if value is None:
        return UNKNOWN
    for unit, name in _SIZES:
        if value >= unit:
            return f"{value / unit:,.1f} {name}"
    return f"{value} B"


def visible(text: str) -> str:
    """Return `text` with every control, override and surrogate character replaced by U+FFFD.

    Tabs and newlines stay. Escape sequences cannot reach a terminal this way, nor can a
    right-to-left override make a name read as another.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if char not in _KEPT and unicodedata.category(char) in _INVISIBLE
        else char
        for char in text
    )


def shortened(text: str, length: int) -> str:
    """Return `text` cut to `length` characters, the last of them an ellipsis where it was cut."""
    return text if len(text) <= length else text[: max(length - 1, 0)].rstrip() + "…"
