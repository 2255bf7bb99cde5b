"""Stored completions: the answer with its messages beside it."""

import json
from typing import Any

import pytest

from stepdown.core.calls import Usage
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.openai_stored import FORMAT

USER = {"role": "user", "content": "hi"}


def read(value) -> Any:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    (found,) = FORMAT.read([Line(data, "stored.jsonl", 1)])
    return found


@pytest.mark.parametrize(
    "asked",
    [
        {"messages": [USER]},
        {"input": [USER]},
        {"messages": {"object": "list", "data": [USER | {"id": "chatcmpl-1-0"}]}},
        {"request": {"model": "m", "messages": [USER]}},
    ],
)
def test_the_messages_may_stand_in_several_places(log, asked):
    call = read(log.response() | asked)
    assert [message.text for message in call.request.messages] == ["hi"]
    assert (call.answer.text, call.model) == ("yes", "m-1")


def test_reads_time_usage_hints_and_request_fields(log):
    usage = {"prompt_tokens": 9, "completion_tokens": 1}
    stored = log.response(
        id="chatcmpl-1",
        created=1793534400,
        usage=usage,
        messages=[USER],
        metadata={"stepdown_task": "routing", "group": "g"},
        temperature=0.5,
        tools=[{"type": "function", "function": {"name": "f"}}],
        service_tier="default",
    )
    call = read(stored)
    assert (call.id, call.time, call.usage) == ("chatcmpl-1", 1793534400.0, Usage(9, 1))
    assert (call.task, call.group) == ("routing", "g")
    assert call.request.params == {"temperature": 0.5}
    assert call.request.tools.get("f") is not None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, reasons.NO_REQUEST),
        ({"messages": None}, reasons.NO_REQUEST),
        ({"messages": [{}]}, reasons.MALFORMED_REQUEST),
        ({"messages": {"data": 5}}, reasons.MALFORMED_REQUEST),
        ({"messages": [USER], "choices": []}, reasons.MALFORMED_ANSWER),
    ],
)
def test_a_completion_without_a_call_says_why(log, change, reason):
    assert read(log.response() | change) == reason


def test_an_error_and_a_broken_line_are_no_calls():
    assert read({"object": "chat.completion", "error": {}}) == reasons.ERROR_ANSWER
    assert read({"object": "chat.completion"}) == reasons.NO_ANSWER
    assert read(b'{"object": ') == reasons.CUT_OFF
