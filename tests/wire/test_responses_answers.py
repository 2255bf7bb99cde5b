"""Answers as responses and as their events; what comes out comes in again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.test_anthropic_answers import ANSWERS, data_of

from stepdown.core.calls import Answer, ToolCall, Usage
from stepdown.errors import InputError
from stepdown.wire.openai_answers import Stamp
from stepdown.wire.responses_answers import (
    last_response,
    parse_response,
    response_body,
    response_error_event,
    response_events,
)

STAMP = Stamp("resp_abc", 1, "gpt-x")
USAGE = Usage(10, 4, 3, 2)
SENT = b'{"model": "gpt-x", "input": "hi", "temperature": 0, "metadata": null}'


@given(ANSWERS)
def test_a_body_is_read_as_the_answer_it_says(answer):
    found, usage, model = parse_response(response_body(answer, STAMP, USAGE, SENT))
    assert (found.text, usage, model) == (answer.text, USAGE, "gpt-x")
    assert found.tool_calls == answer.tool_calls


@pytest.mark.parametrize(
    "odd", [{"model": 5}, {"output": [{"type": "function_call", "name": 5, "arguments": "{}"}]}]
)
def test_a_response_of_other_types_is_none(odd):
    with pytest.raises(InputError):
        parse_response(json.loads(response_body(Answer("hi"), STAMP, USAGE, SENT)) | odd)


def test_odd_usage_is_unknown_and_an_odd_last_event_has_no_response():
    sent = json.loads(response_body(Answer("hi"), STAMP, USAGE, SENT))
    for odd in ({"input_tokens": True}, {"output_tokens": 1e9}, {"input_tokens": 2}):
        assert parse_response(sent | {"usage": sent["usage"] | odd})[1] is None
    assert parse_response(sent | {"usage": sent["usage"] | {"input_tokens_details": []}})[1]
    assert last_response([b'{"type": "response.completed", "response": 5}']) == (None, None)


@given(ANSWERS)
def test_the_last_event_has_the_body_and_numbers_rise(answer):
    frames = data_of(response_events(answer, STAMP, USAGE, SENT))
    body = json.loads(response_body(answer, STAMP, USAGE, SENT))
    assert last_response(frames) == (body, None)
    assert [json.loads(one)["sequence_number"] for one in frames] == list(range(len(frames)))
    assert last_response(frames[:-1]) == (None, None)


def test_what_was_asked_is_repeated_and_nothing_is_stored():
    body = json.loads(response_body(Answer("x"), STAMP, USAGE, SENT))
    assert (body["temperature"], body["metadata"], body["store"]) == (0, {}, False)
    assert (body["tool_choice"], body["tools"]) == ("auto", [])


def test_a_refusal_is_one():
    answer = Answer(None, refusal="I can't.")
    found = parse_response(response_body(answer, STAMP, USAGE, SENT))[0]
    assert (found.text, found.refusal) == (None, "I can't.")
    kinds = [
        json.loads(one)["type"] for one in data_of(response_events(answer, STAMP, USAGE, SENT))
    ]
    assert "response.refusal.delta" in kinds


def test_cut_short_answers_say_so():
    body = json.loads(response_body(Answer("x"), STAMP, USAGE, SENT)) | {"status": "incomplete"}
    assert parse_response(json.dumps(body).encode())[0].finish_reason == "length"
    body["incomplete_details"] = {"reason": "content_filter"}
    assert parse_response(body)[0].finish_reason == "content_filter"


CALL = ToolCall("book", '{"to": "Ro', "c1")


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")]
)
@pytest.mark.parametrize("calls", [(), (CALL,), (CALL, CALL)])
def test_an_answer_that_was_cut_short_is_incomplete(finish, reason, calls):
    answer = Answer("Once upon", calls, finish_reason=finish)
    body = json.loads(response_body(answer, STAMP, USAGE, SENT))
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": reason})
    states = [item["status"] for item in body["output"]]
    assert states == ["completed"] * len(calls) + ["incomplete"]
    frames = data_of(response_events(answer, STAMP, USAGE, SENT))
    first, last = json.loads(frames[0]), json.loads(frames[-1])
    assert (last["type"], last["response"]) == ("response.incomplete", body)
    assert first["response"]["incomplete_details"] is None
    assert parse_response(body)[0].finish_reason == finish


@pytest.mark.parametrize("finish", [None, "stop", "tool_calls"])
def test_any_other_answer_is_complete(finish):
    answer = Answer("x", finish_reason=finish)
    body = json.loads(response_body(answer, STAMP, USAGE, SENT))
    assert (body["status"], body["incomplete_details"]) == ("completed", None)
    assert b"event: response.completed" in response_events(answer, STAMP, USAGE, SENT)


@given(st.lists(st.binary(max_size=30)))
def test_r5_nonsense_frames_raise_nothing(frames):
    assert last_response(frames)[0] is None


def test_an_error_in_the_stream_is_found():
    (data,) = data_of(response_error_event("no", "upstream_broke_off"))
    response, error = last_response([data])
    assert response is None
    assert error["message"] == "no"
    failed = json.dumps({"type": "response.failed", "response": {"error": {"code": "x"}}})
    assert last_response([failed.encode()])[1] == {"code": "x"}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"output": 7}', b'{"output": [{}]}', b"[1]"])
def test_what_is_no_response_is_said(body):
    with pytest.raises(InputError, match="not a response"):
        parse_response(body)
