"""The estimate counts on rehearsed rows what a budget would let a rung answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.datasets import Example
from stepdown.core.ports import Rehearsed
from stepdown.train import estimate

EXAMPLES = [Example(str(n), (), {"": "yes"}) for n in range(100)]


def rehearsed(wrong, abstained=()):
    """Row n is guessed with confidence 1 - n/100."""
    return {
        str(n): Rehearsed(
            {"": "no" if n in wrong else "yes"}, None if n in abstained else 1 - n / 100
        )
        for n in range(100)
    }


def test_a_budget_buys_the_surest_rows_before_the_error_too_many():
    found = estimate(rehearsed({50, 70, 90}), EXAMPLES, 0.02)
    assert found.rows == 100
    assert found.agreement == pytest.approx(0.97)
    assert found.coverage == pytest.approx(0.90)


def test_abstentions_are_never_answered():
    found = estimate(rehearsed(set(), abstained=range(60, 100)), EXAMPLES, 0.02)
    assert found.agreement == 1.0
    assert found.coverage == pytest.approx(0.60)


def test_a_family_that_did_not_rehearse_has_no_estimate():
    assert estimate({}, EXAMPLES, 0.02) is None


@given(st.sets(st.integers(0, 99)), st.floats(0.005, 0.3), st.floats(0.005, 0.3))
def test_a_larger_budget_never_answers_less(wrong, one, other):
    low, high = sorted((one, other))
    guesses = rehearsed(wrong)
    assert estimate(guesses, EXAMPLES, low).coverage <= estimate(guesses, EXAMPLES, high).coverage
