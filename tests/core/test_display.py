"""Figures for people: rounding never lies, unknown is said, hostile text is harmless."""

import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core import display


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "unknown"),
        (math.nan, "unknown"),
        (math.inf, "unknown"),
        (0, "$0"),
        (0.0031, "$0.0031"),
        (0.31, "$0.31"),
        (0.999, "$1.00"),
        (12.5, "$12.50"),
        (999.999, "$1,000"),
        (1234.4, "$1,234"),
        (-3, "-$3.00"),
        (32_000_000, "$32.0 M"),
        (5e9, "$5.0 bn"),
        (1e-9, "< $0.000001"),
    ],
)
def test_money(usd: float | None, text: str) -> None:
    assert display.money(usd) == text


@given(st.floats(1e-6, 1e7, exclude_max=True))
def test_money_keeps_two_significant_digits(usd: float) -> None:
    written = float(display.money(usd).replace("$", "").replace(",", ""))
    assert written == pytest.approx(usd, rel=0.051)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (0, "0 %"),
        (1.0, "100 %"),
        (0.931, "93.1 %"),
        (0.99999, "> 99.9 %"),
        (0.00001, "< 0.1 %"),
    ],
)
def test_share(value: float | None, text: str) -> None:
    assert display.share(value) == text


@given(st.floats(0, 1, exclude_min=True, exclude_max=True), st.integers(1, 3))
def test_a_share_between_is_never_written_as_none_or_all(value: float, digits: int) -> None:
    assert display.share(value, digits) not in ("0 %", "100 %", "0.0 %", "100.0 %")


def test_more_digits_tell_a_bound_from_its_budget() -> None:
    assert display.share(0.0196) == "2.0 %"
    assert display.share(0.0196, 2) == "1.96 %"


@pytest.mark.parametrize(
    ("value", "text"), [(0.02, "2 %"), (0.005, "0.5 %"), (0.95, "95 %"), (None, "unknown")]
)
def test_percent(value: float | None, text: str) -> None:
    assert display.percent(value) == text


def test_share_range() -> None:
    assert display.share_range(0.912, 0.934) == "91.2 to 93.4 %"
    assert display.share_range(math.nan, 1) == "unknown"


def test_count_and_plural() -> None:
    assert display.count(12345) == "12,345"
    assert display.count(None) == "unknown"
    assert display.plural(1, "task") == "1 task"
    assert display.plural(2000, "task") == "2,000 tasks"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (0, "0 ms"),
        (0.0001, "< 0.001 ms"),
        (0.025, "0.025 ms"),
        (4.4, "4.4 ms"),
        (99.9, "100 ms"),
        (812, "812 ms"),
        (999.9, "1.0 s"),
        (1300, "1.3 s"),
        (99_999, "1.7 min"),
        (130_000, "2.2 min"),
    ],
)
def test_milliseconds(value: float | None, text: str) -> None:
    assert display.milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (0.2, "less than a day"),
        (1, "1 day"),
        (12, "12 days"),
        (100, "3.3 months"),
        (800, "2.2 years"),
    ],
)
def test_days(value: float | None, text: str) -> None:
    assert display.days(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "unknown"), (640, "640 B"), (650_000, "650.0 kB"), (12_340_000, "12.3 MB")],
)
def test_bytes_size(value: int | None, text: str) -> None:
    assert display.bytes_size(value) == text


@given(st.text(st.characters(codec=None)))
def test_visible_text_drives_no_terminal(text: str) -> None:
    shown = display.visible(text)
    assert len(shown) == len(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in shown)
    assert shown.encode().decode() == shown
    assert display.visible(shown) == shown


def test_visible_stops_escapes_and_overrides_and_keeps_words() -> None:
    assert display.visible("a\x1b[31mb\u202ec\ud800") == "a�[31mb�c�"
    assert display.visible("naïve 日本\n\tmot 👩\u200d🔧") == "naïve 日本\n\tmot 👩\u200d🔧"


@given(st.text(), st.integers(1, 20))
def test_shortened_never_exceeds_its_length(text: str, length: int) -> None:
    short = display.shortened(text, length)
    assert len(short) <= length
    assert short == text or short.endswith("…")
