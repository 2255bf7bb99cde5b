"""Inputs and outputs of any shape."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.logs.loose import answer_body, request_body
from stepdown.wire.exchanges import read_answer

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(anything)
def test_whatever_it_is_the_body_is_json_or_nothing(value):
    for body in (request_body(value, {"model": "m"}), answer_body(value)):
        assert body is None or isinstance(json.loads(body), dict)


def test_fields_beside_an_input_give_way_to_those_inside_it():
    body = request_body({"messages": [], "model": "own"}, {"model": "m", "temperature": 0})
    assert json.loads(body or b"") == {"model": "own", "temperature": 0, "messages": []}


def test_an_instruction_stands_before_the_messages():
    body = json.loads(request_body("hi", {}, "Be brief.") or b"")
    assert [turn["role"] for turn in body["messages"]] == ["system", "user"]


@given(st.dictionaries(st.sampled_from(["label", "score"]), st.text(max_size=5), min_size=1))
def test_what_an_application_made_of_an_answer_is_its_text(value):
    assert json.loads(read_answer(answer_body(value) or b"").answer.text or "") == value


@pytest.mark.parametrize("more", [[], [{"type": "reasoning", "summary": []}]])
def test_a_list_of_a_response_s_items_is_its_answer(more):
    message = {"type": "message", "role": "assistant"}
    message["content"] = [{"type": "output_text", "text": "yes"}]
    assert read_answer(answer_body([*more, message]) or b"").answer.text == "yes"
    called = {"type": "function_call", "name": "f", "arguments": "{}"}
    assert read_answer(answer_body([*more, called]) or b"").answer.tool_calls[0].name == "f"


def test_a_list_of_parts_is_a_message():
    parts = [{"type": "text", "text": "yes"}]
    assert read_answer(answer_body(parts * 2) or b"").answer.text == "yes\nyes"


def test_items_of_an_earlier_turn_are_a_responses_request():
    called = {"type": "function_call", "name": "f", "arguments": "{}"}
    body = json.loads(request_body([called], {"model": "m"}, "Be brief.") or b"")
    assert body == {"model": "m", "input": [called], "instructions": "Be brief."}
