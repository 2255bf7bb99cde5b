"""Requests and answers of any dialect, as they lie in logs."""

import json

import pytest

from stepdown.core.calls import Usage
from stepdown.errors import InputError
from stepdown.wire.exchanges import parsed, read_answer, read_request, read_usage, unwrapped

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
COMPLETION = {
    "object": "chat.completion",
    "model": "m-1",
    "created": 1793534400,
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 1},
}
MESSAGE = {
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [{"type": "text", "text": "yes"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 1},
}
RESPONSE = {
    "object": "response",
    "model": "m-1",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "yes", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 9, "output_tokens": 1},
}


def encoded(value, times=0):
    text = json.dumps(value)
    for _ in range(times):
        text = json.dumps(text)
    return text.encode()


@pytest.mark.parametrize("times", [0, 1, 2])
@pytest.mark.parametrize("answer", [COMPLETION, MESSAGE, RESPONSE])
def test_an_answer_of_any_dialect_however_often_encoded(answer, times):
    said = read_answer(encoded(answer, times))
    assert (said.answer.text, said.usage) == ("yes", Usage(9, 1))
    assert said.message is (answer is MESSAGE)


def test_an_assistant_message_alone_is_an_answer():
    assert read_answer(encoded({"role": "assistant", "content": "yes"})).answer.text == "yes"


def test_a_request_is_read_as_its_answer_says():
    asked = {"model": "claude-x", "max_tokens": 9, "messages": CHAT["messages"]}
    said = read_answer(encoded(MESSAGE))
    assert read_request(encoded(asked), said) == read_request(encoded(asked))
    blocks = [{"type": "tool_result", "tool_use_id": "t", "content": "4"}]
    turns = [*CHAT["messages"], {"role": "user", "content": blocks}]
    request = read_request(encoded({**asked, "messages": turns}), said)
    assert [message.role for message in request.messages] == ["user", "tool"]


@pytest.mark.parametrize(
    "asked",
    [
        {**CHAT, "system": "Be brief."},
        {"model": "m", "input": "hi", "instructions": "Be brief."},
        {**CHAT, "messages": [{"role": "system", "content": "Be brief."}, *CHAT["messages"]]},
    ],
)
def test_each_dialect_asks_the_same(asked):
    texts = [(message.role, message.text) for message in read_request(encoded(asked)).messages]
    assert texts == [("system", "Be brief."), ("user", "hi")]


def test_tools_of_messages_are_told_by_their_schema():
    tool = {"name": "f", "input_schema": {"type": "object"}}
    assert read_request(encoded({**CHAT, "tools": [tool]})).tools.get("f") is not None


def frames(*events):
    return encoded("".join(f"event: x\ndata: {json.dumps(event)}\n\n" for event in events))


def test_the_text_of_a_stream_is_an_answer():
    chunk = {"model": "m-1", "choices": [{"index": 0, "delta": {"content": "yes"}}]}
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    assert read_answer(frames(chunk, end)).answer.text == "yes"
    start = {"type": "message_start", "message": {**MESSAGE, "content": []}}
    block = {"type": "content_block_start", "index": 0, "content_block": MESSAGE["content"][0]}
    assert read_answer(frames(start, block, {"type": "message_stop"})).answer.text == "yes"
    done = {"type": "response.completed", "response": RESPONSE}
    assert read_answer(frames({"type": "response.created"}, done)).answer.text == "yes"


@pytest.mark.parametrize(
    "raw",
    [
        b"[1]",
        b"{",
        b'"words"',
        b'{"error": {"message": "no"}}',
        frames({"choices": [{"index": 0, "delta": {"content": "ye"}}]}),
    ],
)
def test_what_is_no_whole_answer_is_refused(raw):
    with pytest.raises(InputError):
        read_answer(raw)


@pytest.mark.parametrize("raw", [b"5", b'"words"', b"{", b'{"model": "m"}'])
def test_what_is_no_request_is_refused(raw):
    with pytest.raises(InputError):
        read_request(raw)


def test_text_stays_text():
    assert unwrapped(b'"words"') == b'"words"'
    assert parsed("{broken") == "{broken"
    assert parsed('[{"a": 1}]') == [{"a": 1}]
    assert parsed(5) == 5


def test_usage_is_read_in_any_dialect():
    details = {"cached_tokens": 4}
    told = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": details}
    assert read_usage(told) == Usage(9, 1, 4)
    told = {"input_tokens": 9, "output_tokens": 1, "input_tokens_details": details}
    assert read_usage(told) == Usage(9, 1, 4)
    told = {"input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 4}
    assert read_usage(told) == Usage(9, 1, 4)
    assert read_usage("9") is read_usage({}) is None
