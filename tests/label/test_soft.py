"""Soft labels: tokens speak for the label they begin, add up to one, or say nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.label.soft import soft_labels

LABELS = ["card_lost", "card_arrival", "loan", "travel"]


def test_a_token_speaks_for_the_one_label_it_begins():
    found = soft_labels([("loan", 0.7), (" tra", 0.2), ("x", 0.1)], LABELS)
    assert found == {"loan": pytest.approx(7 / 9), "travel": pytest.approx(2 / 9)}


def test_a_token_of_several_labels_says_nothing():
    assert soft_labels([("card", 0.9)], LABELS) == {}
    assert soft_labels([("", 1.0), (" ", 1.0)], ["loan"]) == {}


def test_what_is_hardly_likely_is_left_out():
    assert soft_labels([("loan", 0.999), ("travel", 0.001)], LABELS) == {"loan": 1.0}


@given(st.lists(st.tuples(st.sampled_from(["l", "loan", "t", "c", "?"]), st.floats(0, 1))))
def test_they_add_up_to_one_or_are_none(tokens):
    found = soft_labels(tokens, LABELS)
    assert not found or sum(found.values()) == pytest.approx(1)
