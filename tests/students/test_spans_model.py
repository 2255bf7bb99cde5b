"""The span model: rival spans are weighed as their values, probabilities are shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdown.core.anatomy import Field
from stepdown.students.crf import _weights as arrange
from stepdown.students.spans import train_spans
from stepdown.students.spans_features import Layout
from stepdown.students.spans_model import SpanField, SpanLayer, SpanModel


def model_of(state, field, steps=None):
    crf = arrange({"O", "B-0", "I-0"}, state, steps or {})
    return SpanModel((SpanLayer((field,), crf, {}),), Layout())


def field_of(many=False, normaliser="identity", absent=0.5, nothing=None):
    return SpanField("/x", many, normaliser, 1.0, absent, nothing)


def test_two_places_of_one_value_outweigh_one_of_another():
    state = {("0=a", "B-0"): 1.0, ("0=b", "B-0"): 1.3, ("b", "I-0"): -9.0}
    model = model_of(state, field_of(absent=0.0))
    assert model.predict("a b")["/x"].value == "b"
    assert model.predict("a b a a")["/x"].value == "a"


def test_the_same_value_written_differently_is_one():
    state = {("0=a", "B-0"): 2.0, ("b", "I-0"): -9.0}
    together = model_of(state, field_of(normaliser="lower")).predict("a x A")["/x"]
    apart = model_of(state, field_of()).predict("a x A")["/x"]
    assert together.probability > apart.probability
    assert together.value == "a"


def test_one_span_has_its_exact_probability():
    model = model_of({("0=a", "B-0"): 2.0, ("b", "I-0"): -90.0}, field_of())
    assert model.predict("a")["/x"].probability == pytest.approx(np.exp(2) / (1 + np.exp(2)))


def test_nothing_is_written_as_the_teacher_does():
    model = model_of({("b", "B-0"): -20.0, ("b", "I-0"): -20.0}, field_of(nothing="N/A"))
    guess = model.predict("a b c")["/x"]
    assert (guess.value, guess.start, guess.failed) == ("N/A", -1, False)
    assert guess.probability == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "12", "7"]), min_size=1, max_size=30),
    st.dictionaries(st.sampled_from(["0=a", "0=b", "0=12", "b"]), st.floats(-5, 5)),
    st.booleans(),
    st.sampled_from(["identity", "number>number", "upper"]),
)
def test_any_text_gets_an_honest_guess(words, weights, many, normaliser):
    text = " ".join(words)
    state = {(name, label): w for name, w in weights.items() for label in ("B-0", "I-0")}
    model = model_of(state or {("b", "B-0"): 1.0}, field_of(many, normaliser))
    guess = model.predict(text)["/x"]
    assert 0.0 <= guess.probability <= 1.0 + 1e-9
    assert (guess.start == -1) == (guess.value is None and not guess.failed)
    assert -1 <= guess.start <= guess.end <= len(text)


def test_values_are_spelt_as_the_teacher_spells_them():
    cities = ["USA", "Peru", "Chad", "Oman", "Cuba"]
    spelt = [(c, w) for c in cities for w in (c, c.lower(), c.upper())] * 3
    model = train_spans(
        [f"made in {written} now" for _, written in spelt],
        [{"/x": city} for city, _ in spelt],
        [Field("/x", "copy")],
    )
    assert model.predict("made in PERU now")["/x"].value == "Peru"
    assert model.predict("made in usa now")["/x"].value == "USA"
