"""Alignment: a span put through its normaliser is the value, and look-alikes are not taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.align import LOOSE, align
from stepdown.core.normalise import NORMALISERS
from stepdown.core.records import same_value

WORDS = st.text(st.sampled_from("ab CD12.,-/\n$é北"), max_size=40)


@given(WORDS | st.integers(-50, 5000) | st.floats(0, 100), WORDS)
def test_a_span_reproduces_its_value(value, text):
    for found in align(value, f"{text} {value} {text}"):
        span = f"{text} {value} {text}"[found.start : found.end]
        assert found.start < found.end
        if found.normaliser != LOOSE:
            assert same_value(NORMALISERS[found.normaliser](span), value)


@given(st.text(st.sampled_from("abc DE1.,"), min_size=1).map(str.strip).filter(bool), WORDS)
def test_a_value_set_off_by_spaces_is_found(value, text):
    assert align(value, f"{text} | {value} | {text}")


def spans(value, text, hints=()):
    return [(text[a.start : a.end], a.normaliser) for a in align(value, text, hints)]


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("9.00", "RM9.00 of 19.00 or 9.000, 1,009.00", [("9.00", "identity")]),
        ("5", "2015, 1.5, x5", [("5", "identity")]),
        ("12.34", "12 34", []),
        ("Two", "for TWO people", [("TWO", "title")]),
        (2, "for two people", [("two", "number>number")]),
        ("Oslo", "in oslo, Oslo or OSLO", [("Oslo", "identity")]),
        ("TAMAN DAYA, 81100 JOHOR.", "5\nTAMAN DAYA,\n81100 JOHOR.\n",
         [("TAMAN DAYA,\n81100 JOHOR.", "squash")]),
        ("SDN BHD (X)", "A SDNBHD(X) B", [("SDNBHD(X)", LOOSE)]),
        ("(x) y", "a (x) y", [("(x) y", "identity")]),
        ("2017-05-04", "on 04/05/2017 8pm", [("04/05/2017", "date:dmy>iso")]),
        ("2017-05-04", "on 05/05/2017", []),
        ("20:00", "at 8 pm", [("8 pm", "time>hh:mm")]),
        (1234.5, "RM 1,234.50", [("1,234.50", "number>number")]),
        (-12, "a (12.00), b", [("(12.00)", "number>number")]),
        (-12, "12 - 1", []),
        (0.12, "rate 12%", [("12", "number>hundredth")]),
        (13, "about 12.60", [("12.60", "number>rounded")]),
        ("1234.50", "RM 1,234.50", [("1,234.50", "number>0.00")]),
        ("0123456789", "call 012-345 6789 now", [("012-345 6789", "digits")]),
        ("北京", "我在北京。", [("北京", "identity")]),
        ("$$", "cost $$ $$", [("$$", "identity"), ("$$", "identity")]),
        (True, "yes", []),
        (None, "none", []),
        ({"a": 1}, "1", []),
        ("", "a", []),
        ("a", "", []),
        (float("nan"), "nan", []),
        ("10", "1 0", []),
    ],
)  # fmt: skip
def test_align(value, text, found):
    assert spans(value, text) == found


def test_items_of_a_list_take_places_of_their_own():
    text = "ham, eggs and ham"
    assert [a.start for a in align(["ham", "ham", "eggs"], text)] == [0, 14, 5]
    assert [a.start for a in align(["eggs", "eggs"], text)] == [5, 5]
    assert align(["ham", "tea"], text) == []
    assert align([["ham"]], text) == []
    assert align([], text) == []


def test_hints_settle_which_reading():
    assert spans("2017-05-05", "05/05/2017") == [("05/05/2017", "date:dmy>iso")]
    assert spans("2017-05-05", "05/05/2017", ["date:mdy>iso"]) == [("05/05/2017", "date:mdy>iso")]
    assert spans("a", "a", ["upper", "unknown"]) == [("a", "identity")]


def test_places_are_bounded():
    assert 0 < len(align("a", "a " * 1000)) <= 64
