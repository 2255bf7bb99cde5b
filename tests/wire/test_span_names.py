"""Spans of tools with names of their own."""

import json

from stepdown.wire.genai import answer_message, request_body
from stepdown.wire.span_names import conventional, own_events

MESSAGES = [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image"}]}]


def test_the_ai_sdk_s_objects_are_json():
    told = conventional(
        {
            "ai.operationId": "ai.streamObject.doStream",
            "ai.model.id": "m",
            "ai.prompt.messages": json.dumps(MESSAGES),
            "ai.response.object": '{"a": 1}',
            "ai.usage.inputTokens": 3,
            "ai.usage.outputTokens": 0,
        }
    )
    body = request_body(told)
    assert body == {
        "model": "m",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}, MESSAGES[0]["content"][1]]}
        ],
        "response_format": {"type": "json_object"},
    }
    assert answer_message(told) == {"role": "assistant", "content": '{"a": 1}'}
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == (3, 0)


def test_an_answer_of_calls_alone_and_results_of_either_version():
    results = [
        {"type": "tool-result", "toolCallId": "c", "result": {"x": 1}},
        {"type": "tool-result", "toolCallId": "d", "output": {"type": "json", "value": 2}},
    ]
    told = conventional(
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.prompt.messages": json.dumps([{"role": "tool", "content": results}]),
            "ai.response.toolCalls": json.dumps(
                [{"toolCallId": "e", "toolName": "f", "args": "{}"}]
            ),
        }
    )
    body, answer = request_body(told), answer_message(told)
    assert body is not None
    assert answer is not None
    assert [turn["content"] for turn in body["messages"]] == ['{"x":1}', "2"]
    assert answer["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}


def test_bodies_and_streams_of_logfire():
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    body["tools"] = [{"type": "function", "function": {"name": "f"}}]
    said = {"combined_chunk_content": "yes", "chunk_count": 2}
    told = {"gen_ai.request.model": "m", "request_data": json.dumps(body)}
    told["response_data"] = json.dumps(said)
    assert request_body(conventional(told)) == body
    assert answer_message(conventional(told)) == {"role": "assistant", "content": "yes"}


def test_what_tells_nothing_stays_as_it_is():
    assert conventional({"ai.operationId": "ai.generateText"}) == {
        "ai.operationId": "ai.generateText"
    }
    assert answer_message(conventional({"request_data": "{"})) is None
    assert own_events({"events": "["}) == own_events({}) == own_events({"events": [1]}) == []
    assert own_events({"events": [{"event.name": "e"}]}) == [("e", {"event.name": "e"})]
