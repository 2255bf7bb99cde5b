"""Numbers: every written form parses back, conventions differ only where they must."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.amounts import NUMBER_FORMATS, NUMBER_WORDS, find_numbers, parse_number

CENTS = st.decimals(0, 10**9, places=2)


@given(CENTS, st.sampled_from(["0.00", "0,0.00", "$0.00", "$0,0.00", "text", "number"]))
def test_a_written_number_parses_back(number, name):
    text = str(NUMBER_FORMATS[name](number))
    assert number in {parse_number(text), parse_number(text, comma_decimal=True)}
    assert number in {found for _, _, found in find_numbers(f"it is {text} in all")}


@pytest.mark.parametrize(
    ("text", "dot", "comma"),
    [
        ("RM 1,234.50", "1234.5", "1234.5"),
        ("1.234,50", "1234.5", "1234.5"),
        ("1,234", "1234", "1.234"),
        ("1.234", "1.234", "1234"),
        ("1.234.567", "1234567", "1234567"),
        ("1'234", "1234", "1234"),
        ("1 234,50", "1234.5", "1234.5"),
        ("12,5", "12.5", "12.5"),
        ("12,50,3", None, None),
        ("1,2.3,4", None, None),
        (".50", "0.5", "0.5"),
        ("$5", "5", "5"),
        ("-$5", "-5", "-5"),
        ("(12.00)", "-12", "-12"),
        ("(RM 12.00)", "-12", "-12"),
        ("(12.00", "12", "12"),
        ("INV-12", "12", "12"),
        ("12 %", "12", "12"),
        ("2.5k", "2500", "2500"),
        ("3 million", "3000000", "3000000"),
        ("5 metres", "5", "5"),
        ("twenty five", "25", "25"),
        ("Twenty-Five", "25", "25"),
        ("one to two", None, None),
        ("1 or 2", None, None),
        ("", None, None),
    ],
)
def test_parse_number(text, dot, comma):
    wanted = [None if number is None else Decimal(number) for number in (dot, comma)]
    assert [parse_number(text), parse_number(text, comma_decimal=True)] == wanted


def test_words_cover_zero_to_a_hundred():
    assert set(range(101)) <= set(NUMBER_WORDS.values())


def test_find_numbers_tells_where():
    text = "2 x RM1,250.00"
    assert [(text[a:b], number) for a, b, number in find_numbers(text)] == [
        ("2", 2),
        ("1,250.00", 1250),
    ]


@pytest.mark.parametrize(
    ("name", "number", "written"),
    [
        ("number", "12.50", 12.5),
        ("number", "12.00", 12),
        ("int", "12.50", None),
        ("rounded", "12.60", 13),
        ("hundredth", "12", 0.12),
        ("0,0.00", "1234.5", "1,234.50"),
        ("text", "1200", "1200"),
    ],
)
def test_formats(name, number, written):
    assert NUMBER_FORMATS[name](Decimal(number)) == written
