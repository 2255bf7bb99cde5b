"""GenAI attributes, newest and legacy."""

import json

import pytest

from stepdown.wire.genai import answer_message, finish_reason, request_body

NEWEST = {
    "gen_ai.request.model": "m",
    "gen_ai.request.temperature": 0.0,
    "gen_ai.system_instructions": [{"type": "text", "content": "Be brief."}],
    "gen_ai.input.messages": [
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {"x": 1}}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "4"}]},
    ],
    "gen_ai.output.messages": [
        {"role": "assistant", "parts": [{"type": "text", "content": "yes"}]}
    ],
    "gen_ai.tool.definitions": [{"type": "function", "name": "f", "parameters": {}}],
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.output.type": "json",
}


def as_text(attributes):
    return {k: json.dumps(v) if isinstance(v, list) else v for k, v in attributes.items()}


@pytest.mark.parametrize("form", [dict, as_text], ids=["values", "strings of JSON"])
def test_the_newest_names(form):
    body = request_body(form(NEWEST))
    assert body is not None
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "4"},
    ]
    assert body["tools"] == [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    assert (body["temperature"], body["response_format"]) == (0.0, {"type": "json_object"})
    assert answer_message(form(NEWEST)) == {"role": "assistant", "content": "yes"}
    assert finish_reason(form(NEWEST)) == "stop"


def test_content_in_an_event_of_its_own():
    content = {k: v for k, v in NEWEST.items() if "messages" in k}
    rest = {k: v for k, v in NEWEST.items() if k not in content}
    events = [("gen_ai.client.inference.operation.details", content)]
    assert request_body(rest, events) == request_body(NEWEST)
    assert answer_message(rest, events) == answer_message(NEWEST)
    assert request_body({k: v for k, v in rest.items() if "instr" not in k}) is None


def test_a_message_an_event():
    events = [
        ("gen_ai.system.message", {"content": "Be brief."}),
        ("gen_ai.user.message", {"content": "hi"}),
        ("gen_ai.choice", {"index": 0, "message": '{"role": "assistant", "content": "yes"}'}),
    ]
    body = request_body({"gen_ai.request.model": "m"}, events)
    assert body is not None
    assert [turn["content"] for turn in body["messages"]] == ["Be brief.", "hi"]
    assert answer_message({}, events) == {"role": "assistant", "content": "yes"}


def test_numbered_attributes():
    attributes = {
        "gen_ai.prompt.0.role": "user",
        "gen_ai.prompt.0.content": '{"a": "JSON that is a text"}',
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.finish_reason": "tool_calls",
        "gen_ai.completion.0.tool_calls.0.name": "f",
        "gen_ai.completion.0.tool_calls.0.arguments": '{"x": 1}',
        "llm.request.functions.0.name": "f",
        "llm.request.functions.0.parameters": '{"type": "object"}',
    }
    body = request_body(attributes)
    assert body is not None
    assert body["messages"][0]["content"] == '{"a": "JSON that is a text"}'
    assert body["tools"][0]["function"]["parameters"] == {"type": "object"}
    answer = answer_message(attributes)
    assert answer is not None
    assert answer["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"x": 1}'}
    assert finish_reason(attributes) == "tool_calls"


def test_a_picture_stays_visible_and_a_thought_does_not():
    parts = [
        {"type": "text", "content": "what is it?"},
        {"type": "blob", "mime_type": "image/png"},
        {"type": "reasoning", "content": "hm"},
    ]
    body = request_body({"gen_ai.input.messages": [{"role": "user", "parts": parts}]})
    assert body is not None
    assert [part["type"] for part in body["messages"][0]["content"]] == ["text", "blob"]
