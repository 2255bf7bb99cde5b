"""Chat requests as messages and back: what is asked stays the same, a refusal is told as one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Answer, Usage
from stepdown.errors import InputError
from stepdown.wire.anthropic import chat_of_messages
from stepdown.wire.anthropic_answers import message_body
from stepdown.wire.anthropic_bodies import completion_of_message, messages_body
from stepdown.wire.openai import parse_answer, parse_request
from stepdown.wire.openai_answers import Stamp

SCHEMA = {"type": "object", "properties": {"at": {"type": "integer", "minimum": 1}}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": SCHEMA}}
CALL = {"type": "function", "function": {"name": "look", "arguments": '{"at":1}'}}


def body(*messages, **fields):
    sent = {"model": "m", "messages": list(messages) or [user("hi")], **fields}
    return json.loads(messages_body(parse_request(json.dumps(sent).encode())))


def user(text):
    return {"role": "user", "content": text}


def said(*blocks, reason="end_turn", **fields):
    sent = {"id": "msg_1", "model": "claude-x", "content": blocks, "stop_reason": reason}
    sent["usage"] = {"input_tokens": 5, "output_tokens": 3, "cache_read_input_tokens": 2}
    return completion_of_message(json.dumps(sent | fields).encode(), 7)


def test_a_plain_request():
    found = body({"role": "system", "content": "Be brief."}, user("hi"), max_tokens=9, seed=1, n=1)
    assert found == {
        "model": "m",
        "max_tokens": 9,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }
    assert body()["max_tokens"] == 4096
    assert body(max_completion_tokens=5)["max_tokens"] == 5


def test_system_turns_are_one_wherever_they_stand():
    found = body(
        user("a"), {"role": "developer", "content": "d"}, {"role": "system", "content": "s"}
    )
    assert found["system"] == "d\n\ns"
    assert len(found["messages"]) == 1


def test_tool_results_are_one_turn_of_the_user():
    asked = {
        "role": "assistant",
        "content": None,
        "tool_calls": [CALL | {"id": "a"}, CALL | {"id": "b"}],
    }
    results = [{"role": "tool", "tool_call_id": id, "content": f"r{id}"} for id in "ab"]
    found = body(user("q"), asked, *results, user("Well?"))["messages"]
    assert [one["role"] for one in found] == ["user", "assistant", "user"]
    assert found[1]["content"][0] == {
        "type": "tool_use",
        "id": "a",
        "name": "look",
        "input": {"at": 1},
    }
    assert [block["type"] for block in found[2]["content"]] == [
        "tool_result",
        "tool_result",
        "text",
    ]
    assert found[2]["content"][1]["tool_use_id"] == "b"


def test_calls_without_ids_get_some():
    asked = {
        "role": "assistant",
        "content": "",
        "function_call": {"name": "look", "arguments": "no"},
    }
    found = body(user("q"), asked, {"role": "function", "name": "look", "content": "r"})["messages"]
    use, result = found[1]["content"][0], found[2]["content"][0]
    assert use["id"] == result["tool_use_id"] != ""
    assert use["input"] == {"arguments": "no"}


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ("auto", {"type": "auto"}),
        ("required", {"type": "any"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "look"}}, {"type": "tool", "name": "look"}),
        ({"type": "allowed_tools"}, None),
    ],
)
def test_tool_choice(choice, found):
    assert body(tools=[TOOL], tool_choice=choice).get("tool_choice") == found


def test_tools_one_at_a_time():
    found = body(tools=[TOOL], parallel_tool_calls=False)
    assert found["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert found["tools"] == [{"name": "look", "input_schema": SCHEMA}]
    none = body(tools=[TOOL], parallel_tool_calls=False, tool_choice="none")
    assert none["tool_choice"] == {"type": "none"}


def test_a_schema_is_closed_and_its_bounds_are_told():
    schema = {
        "type": "object",
        "properties": {"minimum": {"type": "integer", "minimum": 1, "description": "A number."}},
        "oneOf": [{"type": "array", "items": {"type": "object"}, "maxItems": 3}],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert body(response_format=wanted)["output_config"]["format"] == {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"minimum": {"type": "integer", "description": "A number. {minimum: 1}"}},
            "anyOf": [
                {
                    "type": "array",
                    "items": {"type": "object", "additionalProperties": False},
                    "description": "{maxItems: 3}",
                }
            ],
        },
    }
    assert "output_config" not in body(response_format={"type": "json_object"})


def closed(schema):
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    return body(response_format=wanted)["output_config"]["format"]["schema"]


def test_an_object_that_may_be_null_is_closed_too():
    inner = {"type": ["object", "null"], "properties": {}}
    schema = closed({"type": "object", "properties": {"a": inner}})
    assert schema["properties"]["a"] == inner | {"additionalProperties": False}


def test_both_any_of_and_one_of_are_asked_for():
    number, text, long = {"type": "integer"}, {"type": "string"}, {"type": "array"}
    both = {"anyOf": [number, text], "oneOf": [text, long]}
    assert closed(both) == {"anyOf": [number, text], "allOf": [{"anyOf": [text, long]}]}
    three = closed(both | {"allOf": [{"title": "x"}]})
    assert three["allOf"] == [{"title": "x"}, {"anyOf": [text, long]}]
    assert three["anyOf"] == [number, text]


def test_sampling():
    assert body(temperature=1.7, top_p=0.5)["temperature"] == 1.0
    assert "top_p" not in body(temperature=0, top_p=0.5)
    assert body(top_p=0.5, top_k=3).items() >= {"top_p": 0.5, "top_k": 3}.items()
    assert body(stop="END")["stop_sequences"] == body(stop=["END"])["stop_sequences"] == ["END"]


def test_what_has_no_counterpart_is_refused_and_not_left_out():
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    with pytest.raises(InputError, match="image_url"):
        body({"role": "user", "content": [image]})
    with pytest.raises(InputError, match="role 'critic'"):
        body({"role": "critic", "content": "no"})


@given(st.lists(st.sampled_from([user("a"), {"role": "assistant", "content": "b"}]), min_size=1))
def test_what_was_asked_comes_back_from_there(messages):
    sent = {"model": "m", "max_tokens": 3, "messages": messages, "tools": [TOOL]}
    asked = parse_request(json.dumps(sent).encode())
    again = parse_request(chat_of_messages(messages_body(asked)))
    assert again.tools == asked.tools
    told = [(one.role, one.text) for one in asked.messages]
    merged = [list(told[0])]
    for role, text in told[1:]:
        if role == merged[-1][0]:
            merged[-1][1] += f"\n{text}"
        else:
            merged.append([role, text])
    assert [[one.role, one.text] for one in again.messages] == merged


def test_a_message_is_a_completion():
    answer, usage, model = parse_answer(said({"type": "text", "text": "yes"}))
    assert (answer, model) == (Answer("yes", finish_reason="stop"), "claude-x")
    assert usage == Usage(7, 3, 2)
    use = {"type": "tool_use", "id": "t", "name": "look", "input": {"at": 1}}
    answer, _, _ = parse_answer(said(use, reason="tool_use"))
    assert answer.tool_calls[0].arguments == '{"at":1}'
    assert parse_answer(said({"type": "text", "text": "y"}, usage=None))[1] is None
    cut = said({"type": "text", "text": "y"}, reason="model_context_window_exceeded")
    assert parse_answer(cut)[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("blocks", "details", "why"),
    [
        ([{"type": "text", "text": "I won't."}], None, "I won't."),
        ([], {"type": "refusal", "explanation": "It is harmful."}, "It is harmful."),
        ([], None, "The model refused."),
    ],
)
def test_a_refusal_is_one(blocks, details, why):
    answer, _, _ = parse_answer(said(*blocks, reason="refusal", stop_details=details))
    assert answer == Answer(None, refusal=why, finish_reason="content_filter")


def test_our_own_message_comes_back():
    answer = Answer("yes", finish_reason="stop")
    sent = message_body(answer, Stamp("msg_1", 0, "m"), Usage(5, 3))
    assert parse_answer(completion_of_message(sent, 0)) == (answer, Usage(5, 3), "m")


@pytest.mark.parametrize("junk", [b"<html>", b"{}", b'{"type":"error","error":{}}', b""])
def test_what_is_no_message_stays_what_it_is(junk):
    assert completion_of_message(junk, 0) == junk
