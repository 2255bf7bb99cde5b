"""The probability of an answer is the product over its tokens, and unknown stays unknown."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.wire.openai_logprobs import answer_probability


def completion(*logprobs):
    content = [{"token": "x", "logprob": value} for value in logprobs]
    return json.dumps({"choices": [{"logprobs": {"content": content}}]}).encode()


@given(st.lists(st.floats(-30, 0), min_size=1, max_size=20))
def test_it_is_the_product(logprobs):
    found = answer_probability(completion(*logprobs))
    assert found is not None
    assert 0 <= found <= 1
    assert found == pytest.approx(math.exp(math.fsum(logprobs)))


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"logprobs": null}]}',
        b'{"choices": [{"logprobs": {"content": []}}]}',
        b'{"choices": [{"logprobs": {"content": null}}]}',
        b"not json",
    ],
)
def test_without_any_it_is_unknown(body):
    assert answer_probability(body) is None
