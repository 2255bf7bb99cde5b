"""Dates: every written form parses back, whatever is odd is refused."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.dates import DATE_FORMATS, ORDERS, find_dates, find_times, parse_date, parse_time

DAYS = st.dates(date(1970, 1, 1), date(2069, 12, 31))


@given(DAYS, st.sampled_from(sorted(DATE_FORMATS)))
def test_a_written_date_parses_back(day, name):
    text = DATE_FORMATS[name](day)
    assert day in {parse_date(text, order) for order in ORDERS}
    assert day in {found for _, _, found, _ in find_dates(f"on {text}, at last")}


@pytest.mark.parametrize(
    ("text", "order", "iso"),
    [
        ("8th day of May 2014", "dmy", "2014-05-08"),
        ("Jan 25, 2018", "dmy", "2018-01-25"),
        ("25/12/2018 8:13:39 PM", "mdy", "2018-12-25"),
        ("04/05/2017", "dmy", "2017-05-04"),
        ("04/05/2017", "mdy", "2017-04-05"),
        ("14-12-16", "ymd", "2014-12-16"),
        ("14-12-16", "dmy", "2016-12-14"),
        ("8 MAY '77", "dmy", "1977-05-08"),
        ("2018 March 3rd", "dmy", "2018-03-03"),
        ("99/99/2018", "dmy", None),
        ("99/99/2018 then 1.2.2018", "dmy", "2018-02-01"),
        ("no date", "dmy", None),
    ],
)
def test_parse_date(text, order, iso):
    parsed = parse_date(text, order)
    assert (parsed and parsed.isoformat()) == iso


def test_ambiguous_dates_are_read_both_ways():
    assert [(found.isoformat(), order) for _, _, found, order in find_dates("on 04/05/2017")] == [
        ("2017-05-04", "dmy"),
        ("2017-04-05", "mdy"),
    ]


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("8:13:39 PM", (20, 13)),
        ("12 am", (0, 0)),
        ("12:30 p.m.", (12, 30)),
        ("7.15pm", (19, 15)),
        ("at noon", (12, 0)),
        ("14h30", (14, 30)),
        ("12.31", None),
        ("25:00", None),
        ("13 pm", None),
        ("7", None),
    ],
)
def test_parse_time(text, clock):
    assert parse_time(text) == clock


def test_times_come_in_order():
    assert [clock for *_, clock in find_times("noon or 9:00")] == [(12, 0), (9, 0)]


@pytest.mark.parametrize(
    "text",
    [
        "this 5th day of March, 2018",
        "the 5t h day of March 2018",
        "5 th day of March, 2018",
        "5th day of      --- March, 2018",
        "March 5t h, 2018",
    ],
)
def test_dates_in_prose_and_as_recognition_tears_them_are_read(text):
    assert parse_date(text, "dmy") == date(2018, 3, 5)


def test_a_day_takes_no_letters_of_the_next_word():
    assert parse_date("5 the March 2018", "dmy") is None
