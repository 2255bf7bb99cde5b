"""Features: of fixed length, finite for whatever comes, and quick."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Message, OutputFormat, Request, Tool, Toolset
from stepdown.route.features import GRAMS, SHAPE, grams_of, shape_of, text_of, words_of
from stepdown.route.rows import prompted
from stepdown.route.score import inputs_of

BUCKETS = [58, 142, 231, 329, 337, 494, 513, 543, 566, 657, 735, 756, 908, 912]
texts = st.text(st.characters(), max_size=400)


class Two:
    hash = "two"
    size = 2

    def embed(self, tokens):
        return np.array([1.0, 0.0] if tokens else [0.0, 0.0], np.float32)


def value(request, name):
    return dict(zip(SHAPE, shape_of(request, text_of(request)), strict=True))[name]


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), texts), max_size=4))
def test_every_request_has_finite_features(turns):
    request = Request(model="m", messages=tuple(Message(role, text) for role, text in turns))
    found = inputs_of(request, Two())
    assert found.shape == (len(SHAPE) + GRAMS + 2,)
    assert np.isfinite(found).all()
    assert found.dtype == np.float32


@given(texts)
def test_grams_know_no_case_or_spacing_and_have_one_length(text):
    found = grams_of(text)
    length = float(np.sqrt(found @ found))
    assert length == pytest.approx(4.0, rel=1e-4) or length == 0.0
    assert (grams_of(f"  {text}\n") == found).all()


def test_texts_that_share_words_are_nearer_than_texts_that_do_not():
    one, two, other = (
        grams_of(t) for t in ("solve the integral", "the integral of x", "greet a guest")
    )
    assert one @ two > 2 * (one @ other)


def test_grams_are_the_same_in_every_process():
    # A score is used by another process than the one that fitted it.
    assert np.flatnonzero(grams_of("stepdown")).tolist() == BUCKETS


def test_the_shape_counts_what_it_names():
    request = Request(
        model="m",
        messages=(Message("system", "Be brief."), Message("user", "Is 12 + 30 = 42?\nSay NO.")),
        tools=Toolset((Tool("a"), Tool("b")), "h"),
        params={"max_tokens": 99},
        output_format=OutputFormat("json_schema", {"properties": {"x": {}}}),
    )
    assert value(request, "question marks") == 1
    assert value(request, "log tools") == pytest.approx(np.log(3))
    assert value(request, "log fields of the schema") == pytest.approx(np.log(2))
    assert value(request, "log tokens allowed") == pytest.approx(np.log(100))
    assert value(request, "is tools") == 1
    assert value(request, "share of digits") == pytest.approx(6 / len(text_of(request)))


def test_the_last_message_is_seen_at_both_ends():
    request = prompted("begin " + "x" * 5000 + " end")
    assert text_of(request).startswith("begin")
    assert text_of(request).endswith("end")
    assert len(text_of(request)) < 700


def test_words_have_the_length_of_the_grams():
    assert words_of("hello there", Two()).tolist() == [4.0, 0.0]


def test_a_megabyte_costs_no_more_than_a_page():
    request = prompted("word " * 200_000)
    began = time.process_time()
    for _ in range(20):
        inputs_of(request, None)
    assert time.process_time() - began < 0.5
