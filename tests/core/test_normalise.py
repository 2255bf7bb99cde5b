"""Normalisers: pure, total, and the best one is found from examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.normalise import IDENTITY, NORMALISERS, TEXTUAL, best_normaliser
from stepdown.core.records import same_value


@given(st.text(), st.sampled_from(sorted(NORMALISERS)))
def test_any_span_gives_a_json_scalar_or_nothing(span, name):
    value = NORMALISERS[name](span)
    assert value is None or isinstance(value, str | int | float | bool)
    assert same_value(value, NORMALISERS[name](span))


@pytest.mark.parametrize(
    ("name", "span", "value"),
    [
        ("identity", " a\nb", " a\nb"),
        ("squash", " a\n b", "a b"),
        ("title", "new YORK", "New York"),
        ("sentence", "NEW york", "New york"),
        ("trim", "*total:*", "total"),
        ("commas", "5 High St,\nLeeds", "5 High St, Leeds"),
        ("snake", "Rental Car", "rental_car"),
        ("digits", "+1 (555) 010-22", "155501022"),
        ("digits", "none", None),
        ("number>0.00", "RM 1,234.5", "1234.50"),
        ("number:comma>number", "1.234", 1234),
        ("number>number", "a few", None),
        ("date:dmy>iso", "04/05/2017 7:19", "2017-05-04"),
        ("date:mdy>month d, yyyy", "04/05/2017", "April 5, 2017"),
        ("date:dmy>iso", "soon", None),
        ("time>hh:mm", "7:19 pm", "19:19"),
        ("time>h:mm PM", "00:05", "12:05 AM"),
        ("time>hh:mm", "soon", None),
        ("yesno>bool", "Yep!", True),
        ("yesno>Yes", "nope", "No"),
        ("yesno>bool", "maybe", None),
    ],
)
def test_values(name, span, value):
    assert NORMALISERS[name](span) == value


@pytest.mark.parametrize(
    ("pairs", "best", "rate"),
    [
        ([("a", "a"), ("b", "b")], IDENTITY, 1.0),
        ([("a", "A"), ("b", "b")], "lower", 1.0),
        ([("2017-05-04", "04/05/2017"), ("2018-12-25", "25/12/2018")], "date:dmy>iso", 1.0),
        ([("2017-05-04", "05/04/2017"), ("2018-12-25", "25/12/2018")], "date:mdy>iso", 1.0),
        ([(12.5, "$12.50"), (3, "three")], "number>number", 1.0),
        ([("x", "y"), ("a", "a")], IDENTITY, 0.5),
        ([], IDENTITY, 0.0),
    ],
)
def test_best_normaliser(pairs, best, rate):
    assert best_normaliser(pairs) == (best, rate)


def test_a_large_sample_is_spread_over_the_pairs():
    pairs = [("a", "A")] * 2000 + [("b", "b")] * 2000
    assert best_normaliser(pairs) == ("lower", 1.0)


def test_identity_comes_first():
    assert next(iter(NORMALISERS)) == TEXTUAL[0] == IDENTITY
