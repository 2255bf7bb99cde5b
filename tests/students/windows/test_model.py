"""Windows of a text: the best of each field, joined to a digest."""

from itertools import pairwise

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.students.windows.contracts import write_contract

from stepdown.core.tasks import Segment
from stepdown.students.windows.marks import regions
from stepdown.students.windows.model import SHORT, digest, document, replace, select

UNITS = [(at * 300, at * 300 + 300) for at in range(12)]
SCORES = st.lists(
    st.lists(st.floats(-20, 20), min_size=2, max_size=2), min_size=12, max_size=12
).map(np.array)


def one_hot(*places):
    scores = np.full((12, 1), -9.0)
    for rank, at in enumerate(places):
        scores[at, 0] = 5.0 - rank
    return scores


@given(SCORES)
def test_windows_are_in_order_and_apart(scores):
    windows = select(UNITS, scores, ("/a", "/b"))
    assert all(a.end < b.start for a, b in pairwise(windows))
    assert sum(len(window.marks) for window in windows) == 6


@given(SCORES)
def test_the_best_window_of_each_field_is_kept(scores):
    windows = select(UNITS, scores, ("/a", "/b"))
    for field in (0, 1):
        start = UNITS[int(scores[:, field].argmax())][0]
        assert any(window.start <= start < window.end for window in windows)


def test_neighbours_of_a_better_window_are_left_out():
    windows = select(UNITS, one_hot(5, 6, 4, 9), ("/a",))
    assert [(w.start, w.end) for w in windows if w.start >= 1200] == [(1500, 2100), (2700, 3300)]


def test_marks_say_rank_and_sureness():
    windows = select(UNITS, one_hot(9, 5, 1), ("/a",))
    marks = {window.start: window.marks[0][4:] for window in windows}
    assert marks == {2700: "ae", 1500: "be", 300: "ce"}


def test_many_fields_have_fewer_windows_each():
    scores = np.random.default_rng(0).normal(size=(400, 60))
    units = [(at * 300, at * 300 + 300) for at in range(400)]
    windows = select(units, scores, tuple(f"/f{at}" for at in range(60)))
    assert sum(len(window.marks) for window in windows) == 60


def test_a_digest_has_the_windows_text():
    text = "".join(f"{at:0300d}" for at in range(12))
    made = digest(text, select(UNITS, one_hot(3), ("/a",)))
    assert [r.marks[0][4] for r in regions(made) if text[900:1500] in made[r.start : r.end]] == [
        "a"
    ]


def test_a_question_beside_the_document_stays():
    given_input = (Segment("system", "Who signs?"), Segment("user", "x" * 2000))
    assert document(given_input) == "x" * 2000
    assert replace(given_input, "page") == (given_input[0], Segment("user", "page"))


def test_two_documents_are_one_digest():
    given_input = (Segment("history", "x" * 2000), Segment("user", "y" * 2000))
    assert replace(given_input, "page") == (Segment("history", "page"),)


def test_what_is_too_long_for_anyone_is_read_at_both_ends():
    text = document((Segment("user", "a" * 3_000_000 + "z" * 3_000_000),))
    assert len(text) == 2_000_001 and text[0] == "a" and text[-1] == "z"


def test_a_short_input_is_left_alone(condensed):
    short = (Segment("user", "s" * SHORT),)
    assert condensed.model.condense(short) is short


def test_the_digest_of_a_new_contract_holds_what_is_asked_for(condensed):
    for number in range(1000, 1010):
        text, state, day = write_contract(number)
        (segment,) = condensed.model.condense((Segment("user", text),))
        assert len(segment.text) < 6000 < len(text)
        assert f"State of {state} alone" in segment.text
        assert f"as of {day}" in segment.text


def test_a_score_that_is_no_number_is_the_worst(condensed):
    broken = msgspec.structs.replace(condensed.model, bias=np.full(2, np.nan, np.float32))
    text, *_ = write_contract(5)
    assert (broken.score(text, [(0, 300), (300, 600)]) == -50.0).all()
