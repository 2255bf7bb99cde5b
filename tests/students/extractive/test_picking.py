"""Picks fit, stand in the text's order, and don't repeat themselves."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.extractive.picking import EVIDENCE, Rule, pick
from stepdown.students.extractive.sentences import look_at

TEXT = "Apples were bought in Rome. Pears came later on. Apples were bought in Rome today. No."


def scores(*values):
    return np.array(values, float)


def test_the_best_come_in_the_order_of_the_text():
    found = pick(look_at(TEXT), scores(1, 2, -5, -5), 60, Rule())
    assert found.rows == (0, 1)
    assert found.text == "Apples were bought in Rome. Pears came later on."


def test_what_says_the_same_again_is_left_out():
    found = pick(look_at(TEXT), scores(3, 1, 2, -5), 200, Rule(alike=0.5))
    assert found.rows == (0, 1)


def test_the_best_is_taken_though_it_is_below_the_rule():
    assert pick(look_at(TEXT), scores(-3, -2, -4, -5), 200, Rule(least=0.0)).rows == (1,)


def test_where_nothing_fits_there_is_no_pick():
    assert pick(look_at(TEXT), scores(1, 2, 3, 4), 2, Rule()) is None


@given(
    st.lists(st.floats(-50, 50), min_size=4, max_size=4),
    st.integers(3, 120),
    st.floats(-5, 5),
    st.floats(0, 1),
)
def test_a_pick_is_never_too_long(values, longest, least, alike):
    found = pick(look_at(TEXT), scores(*values), longest, Rule(least, alike))
    assert found is not None
    assert 0 < len(found.text) <= longest
    assert list(found.rows) == sorted(found.rows)
    assert found.evidence.shape == (EVIDENCE,)
    assert np.isfinite(found.evidence).all()
