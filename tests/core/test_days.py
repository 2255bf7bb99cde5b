"""Days without a year are found, counted from the right day, and their today is learnt."""

from datetime import date, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stepdown.core.align import align
from stepdown.core.days import counted_from, find_days, matches, read_day, todays
from stepdown.core.normalise import DAY, best_normaliser, normaliser_of

FRIDAY = date(2019, 3, 1)
DAYS = st.dates(date(1990, 1, 1), date(2090, 12, 31))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("on March 4th", "2019-03-04"),
        ("the 4th of March please", "2019-03-04"),
        ("Feb 2", "2020-02-02"),
        ("anything on the 2nd?", "2019-03-02"),
        ("today", "2019-03-01"),
        ("tomorrow night", "2019-03-02"),
        ("the day after tomorrow", "2019-03-03"),
        ("next Thursday", "2019-03-07"),
        ("Friday", "2019-03-01"),
        ("Tuesday next week", "2019-03-05"),
        ("in 10 days", "2019-03-11"),
        ("on 5 May 2021, or tomorrow", "2021-05-05"),
        ("the 30th of February", None),
        ("nothing of the kind", None),
        ("march on at 9", None),
        ("may 2pm suit you", None),
    ],
)
def test_days_are_counted_from_today(text, day):
    found = counted_from(text, FRIDAY)
    assert (found and found.isoformat()) == day


def test_a_part_of_a_whole_date_is_no_day_of_its_own():
    assert find_days("from March 4th, 2019 on") == []
    (said,) = find_days("from March 4th on")
    assert (said.start, said.end) == (5, 14)


@given(DAYS, DAYS)
@example(date(2000, 2, 29), date(2001, 1, 1))
@example(date(2000, 2, 29), date(2096, 3, 1))
def test_what_is_said_of_a_day_can_mean_it(day, today):
    for text in (f"{day:%B} {day.day}th", f"the {day.day}th", f"{day:%A}"):
        (said,) = find_days(text)
        assert matches(said, day)
        read = read_day(said, today)
        assert read is not None
        assert read >= today
        assert matches(said, read)


@given(st.dates())
def test_no_day_is_too_late_to_count_from(today):
    for text in ("tomorrow", "yesterday", "in 99 days", "Sunday next week", "February 29"):
        for said in find_days(text):
            read = read_day(said, today)
            assert read is None or abs(read - today) <= timedelta(days=9 * 366)


def test_a_value_stands_where_its_day_is_said_best():
    text = "I am busy today. Book it for March 4th, not the 4th seat."
    (found,) = align("2019-03-04", text)
    assert (text[found.start : found.end], found.normaliser) == ("March 4th", DAY)
    assert align("2019-03-05", "See you on March 4th") == []
    (found,) = align("2019-03-02", "make it tomorrow")
    assert found.normaliser == DAY


def test_the_today_that_explains_the_answers_is_learnt():
    spans = ["March 4th", "tomorrow", "next Thursday", "the 2nd", "today", "March 10"]
    values = ["2019-03-04", "2019-03-02", "2019-03-07", "2019-03-02", "2019-03-01", "2019-03-10"]
    pairs = list(zip(values, spans, strict=True))
    assert todays(pairs)[0] == (FRIDAY, "iso")
    assert best_normaliser(pairs) == ("day@2019-03-01>iso", 1.0)
    assert normaliser_of("day@2019-03-01>dd/mm/yyyy")("tomorrow") == "02/03/2019"


def test_whole_dates_are_read_as_ever():
    assert best_normaliser([("2019-03-04", "4 March 2019")] * 3)[0].startswith("date:")
    assert best_normaliser([("Thursday", "Thursday")] * 3) == ("identity", 1.0)


@pytest.mark.parametrize("name", ["day@", "day@2019-13-01>iso", "day@2019-03-01>roman", "none"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(KeyError):
        normaliser_of(name)
