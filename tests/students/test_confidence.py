"""Confidence: a probability of the whole record that ranks better than the fields' product."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.confidence import INPUTS, Confidence, Evidence, Platt

chances = st.floats(0, 1)


def evidence(*probabilities, known=1.0, root=-1, words=5):
    return Evidence(probabilities, 1.0, 0.5, words, known, 1, root)


def test_without_weights_the_score_is_the_product():
    assert Confidence()(evidence(0.5, 0.8)) == pytest.approx(0.4)


def test_unknown_words_shrink_the_score_in_proportion():
    confidence = Confidence(least_known=0.4)
    assert confidence(evidence(0.8, known=0.1)) == pytest.approx(0.2)
    assert confidence(evidence(0.8, known=0.4)) == pytest.approx(0.8)
    assert confidence(evidence(0.8, known=0.0)) == 0.0


@given(st.lists(chances, max_size=4), chances, st.integers(0, 10**7), st.integers(-1, 5))
def test_any_evidence_has_a_probability(probabilities, known, words, root):
    fitted = Confidence((3.0, -2.0, 1.0, 1.0, 9.0, -9.0, 1.0, 4.0), 0.1, (0.1, -0.2), 0.3)
    found = evidence(*probabilities, known=known, words=words, root=root)
    for confidence in (fitted, Confidence()):
        assert 0 <= confidence(found) <= 1


@given(chances)
def test_the_neutral_platt_keeps_probabilities(probability):
    assert Platt()(probability) == pytest.approx(probability, abs=1e-5)


def test_the_number_of_inputs_is_told():
    assert len(evidence(0.5).inputs(0.0)) == INPUTS
