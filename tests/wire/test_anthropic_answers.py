"""Answers as messages and as their events; what comes out comes in again."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Answer, ToolCall, Usage
from stepdown.errors import InputError
from stepdown.wire.anthropic_answers import (
    message_body,
    message_error,
    message_events,
    message_of_events,
    parse_message,
)
from stepdown.wire.openai_answers import Stamp

STAMP = Stamp("msg_abc", 1, "claude-x")
USAGE = Usage(10, 4, 3, 2, 1)
NAMES = st.text("abc", min_size=1, max_size=5)
CALLS = st.builds(
    lambda name, value: ToolCall(name, msgspec.json.encode({"v": value}).decode(), "t"),
    NAMES,
    st.text('xyz\u00e9"\\', max_size=5),
)
ANSWERS = st.builds(
    lambda text, calls: Answer(text, tuple(calls)),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
    st.lists(CALLS, max_size=3),
)


def data_of(stream):
    return [line[6:] for line in stream.split(b"\n") if line.startswith(b"data: ")]


@given(ANSWERS)
def test_a_body_is_read_as_the_answer_it_says(answer):
    found, usage, model = parse_message(message_body(answer, STAMP, USAGE))
    assert (found.text, usage, model) == (answer.text, USAGE, "claude-x")
    assert [(c.name, json.loads(c.arguments)) for c in found.tool_calls] == [
        (c.name, json.loads(c.arguments)) for c in answer.tool_calls
    ]
    assert found.finish_reason == ("tool_calls" if answer.tool_calls else "stop")


@pytest.mark.parametrize(
    "odd", [{"input_tokens": -5}, {"output_tokens": 1.5}, {"cache_read_input_tokens": "many"}]
)
def test_odd_usage_is_unknown_and_the_answer_good(odd):
    sent = json.loads(message_body(Answer("hi"), STAMP, USAGE))
    answer, usage, _ = parse_message(sent | {"usage": sent["usage"] | odd})
    assert (answer.text, usage) == ("hi", None)


@pytest.mark.parametrize("odd", [{"model": 5}, {"content": [{"type": "tool_use", "name": 5}]}])
def test_a_message_of_other_types_is_none(odd):
    with pytest.raises(InputError):
        parse_message(json.loads(message_body(Answer("hi"), STAMP, USAGE)) | odd)


@pytest.mark.parametrize("key", ["message", "content_block", "delta", "usage"])
def test_events_of_other_types_add_nothing(key):
    frames = data_of(message_events(Answer("hi"), STAMP, USAGE))
    odd = [json.dumps({**json.loads(one), key: [1]}).encode() for one in frames]
    summed = message_of_events(odd)
    assert summed.finished
    assert summed.message is not None


def test_c13_what_is_put_into_the_cache_is_told_apart():
    sent = json.loads(message_body(Answer("hi"), STAMP, USAGE))
    counts = {"input_tokens": 10, "output_tokens": 1, "cache_creation_input_tokens": 9}
    lasting = {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 7}
    for more, usage in (
        ({}, Usage(19, 1, 0, 9)),
        ({"cache_creation": None}, Usage(19, 1, 0, 9)),
        ({"cache_creation": lasting}, Usage(19, 1, 0, 2, 7)),
        ({"cache_creation": lasting, "cache_creation_input_tokens": None}, Usage(19, 1, 0, 2, 7)),
        ({"cache_creation": {"ephemeral_1h_input_tokens": "x"}}, None),
    ):
        assert parse_message(sent | {"usage": counts | more})[1] == usage


def test_c13_the_last_event_of_a_stream_takes_back_no_count():
    frames = data_of(message_events(Answer("hi"), STAMP, USAGE))
    events = [json.loads(frame) for frame in frames]
    events[-2]["usage"] |= {"input_tokens": None, "cache_creation_input_tokens": None}
    summed = message_of_events(json.dumps(event).encode() for event in events)
    assert summed.message is not None
    assert parse_message(summed.message)[1] == USAGE


@given(ANSWERS)
def test_the_events_add_up_to_the_body(answer):
    summed = message_of_events(data_of(message_events(answer, STAMP, USAGE)))
    assert summed.finished
    assert summed.message == json.loads(message_body(answer, STAMP, USAGE))


def test_each_event_is_named():
    lines = message_events(Answer("hi"), STAMP, USAGE).decode().split("\n\n")[:-1]
    names = [line.partition("\n")[0].removeprefix("event: ") for line in lines]
    assert names == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    for name, line in zip(names, lines, strict=True):
        assert json.loads(line.partition("data: ")[2])["type"] == name


def test_a_stream_cut_off_is_not_finished():
    frames = data_of(message_events(Answer("hi"), STAMP, USAGE))
    for cut in range(len(frames)):
        assert not message_of_events(frames[:cut]).finished
    broken = message_of_events([frames[0], b'{"type":"error","error":{"type":"overloaded_error"}}'])
    assert broken.error == {"type": "overloaded_error"}


@given(st.lists(st.binary(max_size=20) | st.sampled_from([b'{"type":"content_block_delta"}'])))
def test_r5_nonsense_frames_raise_nothing(frames):
    start = data_of(message_events(Answer("hi"), STAMP, USAGE))[:2]
    assert not message_of_events([*start, *frames]).finished


@pytest.mark.parametrize("body", [b"", b"{}", b'{"content": 7}', b'{"content": [{}]}', b"[1]"])
def test_what_is_no_message_is_said(body):
    with pytest.raises(InputError, match="not a message"):
        parse_message(body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (401, "authentication_error"), (502, "api_error")],
)
def test_errors_have_the_types_that_the_client_knows(status, kind):
    found = json.loads(message_error(status, "no"))
    assert (found["type"], found["error"]) == ("error", {"type": kind, "message": "no"})


@pytest.mark.parametrize(
    ("finish", "calls", "reason"),
    [
        ("length", (), "max_tokens"),
        ("length", (ToolCall("book", '{"to": "Ro', "c1"),), "max_tokens"),
        ("content_filter", (), "refusal"),
        ("stop", (ToolCall("book", "{}", "c1"),), "tool_use"),
        (None, (), "end_turn"),
    ],
)
def test_the_stop_reason_says_that_an_answer_was_cut_short(finish, calls, reason):
    answer = Answer("Once", calls, finish_reason=finish)
    assert json.loads(message_body(answer, STAMP, USAGE))["stop_reason"] == reason
    summed = message_of_events(data_of(message_events(answer, STAMP, USAGE)))
    assert summed.message is not None
    assert summed.message["stop_reason"] == reason
