"""Responses requests as chat completions: nothing that asks for something gets lost on the way."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.test_anthropic import JSON

from stepdown.errors import InputError
from stepdown.wire.openai import parse_request
from stepdown.wire.responses import chat_of_responses


def chat(**fields):
    given: dict = {"model": "gpt-x", "input": "hi", **fields}
    return json.loads(chat_of_responses(json.dumps(given).encode()))


def test_text_and_instructions():
    assert chat(instructions="Be brief.")["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


def test_items_are_turns():
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "look"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"},
        {"type": "function_call", "call_id": "c2", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "nothing"},
        {"type": "item_reference", "id": "x"},
    ]
    request = parse_request(json.dumps(chat(input=items)).encode())
    assert [one.role for one in request.messages] == ["user", "assistant", "tool", "user"]
    assert [call.id for call in request.messages[1].tool_calls] == ["c1", "c2"]
    assert request.messages[2].tool_call_id == "c1"
    assert request.messages[3].other_parts == ("item_reference",)


def test_tools_formats_and_choices_have_the_hashes_of_chat_completions():
    schema = {"type": "object", "properties": {}}
    function = {"name": "look", "parameters": schema, "strict": True}
    wanted = {"type": "json_schema", "name": "n", "schema": schema, "strict": True}
    ours = chat(
        tools=[{"type": "function", **function}],
        tool_choice={"type": "function", "name": "look"},
        text={"format": wanted, "verbosity": None},
    )
    direct = {
        "model": "gpt-x",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    }
    found, expected = (parse_request(json.dumps(one).encode()) for one in (ours, direct))
    assert found.tools == expected.tools
    assert found.output_format.hash == expected.output_format.hash
    assert found.tool_choice == expected.tool_choice
    assert "text" not in ours


def test_defaults_said_aloud_are_left_out_and_the_rest_keeps_its_name():
    plain = chat(background=False, include=[], truncation="disabled", reasoning={"effort": None})
    assert set(plain) == {"model", "messages"}
    found = chat(
        max_output_tokens=9,
        reasoning={"effort": "low"},
        truncation="auto",
        previous_response_id="resp_1",
        text={"verbosity": "low"},
    )
    assert (found["max_completion_tokens"], found["reasoning_effort"]) == (9, "low")
    assert (found["truncation"], found["previous_response_id"]) == ("auto", "resp_1")
    assert found["text"] == {"verbosity": "low"}
    assert chat(reasoning={"effort": "low", "summary": "auto"})["reasoning"]["summary"] == "auto"


@pytest.mark.parametrize("field", ["prompt", "conversation", "previous_response_id"])
@pytest.mark.parametrize("rest", [{}, {"input": []}, {"input": None}, {"instructions": "Go on."}])
def test_what_is_asked_may_be_kept_at_the_provider(field, rest):
    found = json.loads(chat_of_responses(json.dumps({field: {"id": "x"}, **rest}).encode()))
    assert found[field] == {"id": "x"}
    request = parse_request(json.dumps(found).encode())
    assert request.messages[-1].other_parts == ("stored_input",)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"input": 7}',
        b'{"input": []}',
        b'{"input": ["x"]}',
        b'{"prompt": null}',
    ],
)
def test_what_is_no_request_is_said(body):
    with pytest.raises(InputError, match="not a responses request"):
        chat_of_responses(body)


FIELDS = st.sampled_from(["input", "instructions", "tools", "tool_choice", "text", "reasoning"])


@given(st.dictionaries(FIELDS, JSON))
def test_s11_whatever_stands_in_a_field_is_read_or_refused(fields):
    try:
        chat_of_responses(msgspec.json.encode(fields))
    except InputError as refused:
        assert str(refused).count("responses request") == 1
