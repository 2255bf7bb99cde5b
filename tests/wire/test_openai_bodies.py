"""A request written again asks the same, of another model."""

import json

import pytest

from stepdown.wire.openai import parse_request
from stepdown.wire.openai_bodies import request_body

TOOL = {
    "type": "function",
    "function": {"name": "book", "parameters": {"type": "object", "properties": {}}},
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}

BODIES = {
    "plain": {"messages": [{"role": "user", "content": "hi"}], "temperature": 0},
    "tools": {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "book it"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "book", "arguments": "{}"},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "done"},
        ],
        "tools": [TOOL],
        "tool_choice": "auto",
    },
    "schema": {
        "messages": [{"role": "user", "content": "hi"}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": SCHEMA, "strict": True},
        },
        "max_tokens": 50,
    },
    "object": {
        "messages": [{"role": "user", "content": "hi"}],
        "response_format": {"type": "json_object"},
    },
}


@pytest.mark.parametrize("name", list(BODIES))
def test_what_was_asked_is_asked_again(name):
    request = parse_request(json.dumps({"model": "dear", **BODIES[name]}).encode())
    again = parse_request(request_body(request, "cheap"))
    assert again.model == "cheap"
    for field in ("messages", "tools", "output_format", "tool_choice", "params"):
        assert getattr(again, field) == getattr(request, field), field


def test_what_does_not_shape_the_answer_is_left_out_and_extras_are_added():
    sent = {"model": "dear", **BODIES["plain"], "user": "u", "store": True, "stream": True}
    body = json.loads(request_body(parse_request(json.dumps(sent).encode()), "m", logprobs=True))
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0,
        "logprobs": True,
    }


def test_s6_unknown_fields_stay_behind():
    odd = {"api_base": "http://x", "base_url": "http://x", "extra_headers": {"a": "b"}, "x": 1}
    sent = {"model": "dear", **BODIES["plain"], **odd}
    body = json.loads(request_body(parse_request(json.dumps(sent).encode()), "m"))
    assert set(body) == {"model", "messages", "temperature"}
