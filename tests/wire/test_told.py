"""What an answer tells beside its text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Usage
from stepdown.wire.told import Told, told, usage_beside


def test_id_model_tokens_and_reasons():
    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    usage["prompt_tokens_details"] = {"cached_tokens": 4}
    choices = [{"finish_reason": "stop", "message": {"content": "secret"}}, {"finish_reason": None}]
    body = {"id": "c-1", "model": "m", "usage": usage, "choices": choices}
    assert told(json.dumps(body).encode()) == Told("c-1", "m", Usage(9, 2, 4), ("stop",))


@pytest.mark.parametrize(
    ("details", "usage"),
    [
        ({"cached_tokens": 4, "cache_write_tokens": 5}, Usage(9, 2, 4, 5)),
        ({"cache_creation_tokens": 5}, Usage(9, 2, 0, 5)),
        (
            {
                "cache_write_tokens": 5,
                "cache_creation_token_details": {"ephemeral_1h_input_tokens": 3},
            },
            Usage(9, 2, 0, 2, 3),
        ),
        # Odd counts of what is written leave the others as they are.
        ({"cached_tokens": 5, "cache_write_tokens": 5}, Usage(9, 2, 5)),
        ({"cached_tokens": 5, "cache_creation_tokens": -1}, Usage(9, 2, 5)),
        ({"cached_tokens": 5, "cache_write_tokens": "many"}, Usage(9, 2, 5)),
        ({"cached_tokens": 5, "cache_creation_token_details": []}, Usage(9, 2, 5)),
        (
            {"cache_creation_token_details": {"ephemeral_1h_input_tokens": 3}},
            Usage(9, 2, 0, 0, 3),
        ),
        ({"cached_tokens": 10}, None),
    ],
)
def test_c13_tokens_put_into_a_cache(details, usage):
    told = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": details}
    assert usage_beside(json.dumps({"usage": told}).encode()) == usage


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":7,"usage":3,"choices":[]}', b"\xff"])
def test_nonsense_tells_nothing(body):
    assert told(body) == Told()


@given(st.binary())
def test_nothing_raises(body):
    assert isinstance(told(body), Told)


def test_the_usage_of_any_other_answer():
    assert usage_beside(b'{"data": [{"x": 1}], "usage": {"prompt_tokens": 7}}') == Usage(7, 0)
    both = b'{"usage": {"prompt_tokens": 7, "completion_tokens": 2}}'
    assert usage_beside(both) == Usage(7, 2)
    for nothing in (b"", b"{", b"[]", b"{}", b'{"usage": {}}', b'{"usage": {"prompt_tokens": 0}}'):
        assert usage_beside(nothing) is None
