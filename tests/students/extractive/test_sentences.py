"""Sentences are pieces of the text, in order, and their features are finite."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.extractive.sentences import BUCKETS, COLUMNS, cut_sentences, look_at

TEXT = 'Ann: it costs 1.50 today. "Really?" Yes!\nBob left at 5 p.m. and slept.\n\n--\n- next'


def test_sentences_end_at_marks_and_lines():
    assert cut_sentences(TEXT) == [
        "Ann: it costs 1.50 today.",
        '"Really?',
        "Yes!",
        "Bob left at 5 p.m. and slept.",
        "- next",
    ]


@given(st.text(max_size=300))
def test_they_are_pieces_of_the_text_in_order(text):
    at = 0
    for piece in cut_sentences(text):
        found = text.find(piece, at)
        assert found >= 0
        at = found + len(piece)


@given(st.text(max_size=300))
def test_features_are_in_bounds(text):
    for one in look_at(text):
        assert one.values.shape == (COLUMNS,)
        assert np.isfinite(one.values).all()
        assert ((one.ids >= 0) & (one.ids < BUCKETS)).all()


def test_of_a_long_text_the_beginning_and_the_end_are_seen():
    lines = [f"line {at}" for at in range(1000)]
    found = cut_sentences("\n".join(lines))
    assert found == lines[:200] + lines[-100:]
