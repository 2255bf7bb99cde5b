"""The native line: what is read from it, and why a line is no call."""

import json
from typing import Any

import pytest

from stepdown.core.calls import Message, Usage
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.native import FORMAT


def read(data) -> Any:
    (found,) = FORMAT.read([Line(data, "log.jsonl", 1)])
    return found


def test_reads_all_that_a_line_says(log):
    usage = {"prompt_tokens": 9, "completion_tokens": 1}
    call = read(
        json.dumps(
            {
                "id": "call-1",
                "time": "2026-11-01T12:00:00Z",
                "request": log.request("hi", temperature=0),
                "response": log.response("yes", usage=usage),
                "latency_ms": 812,
                "cost_usd": 0.25,
                "metadata": {"stepdown_task": "routing", "group": "shop-7"},
                "stepdown": {"tier": "frontier", "decision": "relayed"},
                "never heard of": {},
            }
        ).encode()
    )
    assert (call.id, call.model, call.time) == ("call-1", "m-1", 1793534400.0)
    assert call.request.messages == (Message("user", "hi"),)
    assert call.request.params == {"temperature": 0}
    assert (call.answer.text, call.usage) == ("yes", Usage(9, 1))
    assert (call.latency_ms, call.cost_usd) == (812.0, 0.25)
    assert (call.task, call.group, call.tier) == ("routing", "shop-7", "frontier")


def test_what_a_line_does_not_say_is_unknown(log):
    call = read(log.line(None))
    unknown = (call.time, call.latency_ms, call.usage, call.cost_usd, call.task, call.group)
    assert unknown == (None,) * 6
    assert call.tier == ""
    assert call.id


def test_odd_optional_fields_are_unknown_and_the_call_is_kept(log):
    call = read(
        log.line(
            7,
            time="soon",
            latency_ms="fast",
            cost={"usd": 1},
            metadata=[],
            stepdown="x",
            status=200,
        )
    )
    assert (call.id, call.time, call.latency_ms, call.cost_usd) == ("7", None, None, None)
    assert (call.task, call.tier) == (None, "")
    assert read(log.line("a", latency_ms=-1, cost=True)).latency_ms is None


def test_the_answer_s_own_time_stands_in_for_the_line_s(log):
    assert read(log.line("a", response=log.response(created=1793534400))).time == 1793534400.0
    said = read(log.line("a", time=1793534401, response=log.response(created=5)))
    assert said.time == 1793534401.0


def test_the_asked_model_stands_in_for_the_answer_s(log):
    assert read(log.line("a", response=log.response(model=None))).model == "m"


ERROR = {"error": {"message": "rate limit"}}
EMBEDDING = {"object": "list", "data": [{"embedding": [0.1]}]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"request": None}, reasons.NO_REQUEST),
        ({"response": None}, reasons.NO_ANSWER),
        ({"response": ERROR}, reasons.ERROR_ANSWER),
        ({"response": None, "error": "timeout"}, reasons.ERROR_ANSWER),
        ({"status": 500}, reasons.ERROR_ANSWER),
        ({"status": "429"}, reasons.ERROR_ANSWER),
        ({"status": "failed"}, reasons.ERROR_ANSWER),
        ({"request": {"input": "x"}, "response": EMBEDDING}, reasons.NOT_CHAT),
        ({"response": {"content": [], "type": "message"}}, reasons.NO_ANSWER),
        ({"response": {"content": [5], "type": "message"}}, reasons.MALFORMED_ANSWER),
        ({"response": {"output": [], "model": 5}}, reasons.MALFORMED_ANSWER),
        ({"request": "text"}, reasons.NOT_CHAT),
        ({"response": "text"}, reasons.NOT_CHAT),
        ({"request": {"messages": [{"content": "no role"}]}}, reasons.MALFORMED_REQUEST),
        ({"request": {"messages": []}}, reasons.MALFORMED_REQUEST),
        ({"response": {"choices": []}}, reasons.MALFORMED_ANSWER),
        ({"response": {"choices": 5}}, reasons.MALFORMED_ANSWER),
    ],
)
def test_a_line_without_a_call_says_why(log, change, reason):
    assert read(log.line("a", **change)) == reason


def test_a_cut_line_is_counted_as_one(log):
    whole = log.line()
    assert {read(whole[:at]) for at in range(1, len(whole), 7)} == {reasons.CUT_OFF}
    assert read(b"[]") == reasons.NOT_AN_OBJECT


def test_equal_lines_without_ids_stay_apart(log):
    row = log.line(None)
    calls: list[Any] = list(FORMAT.read([Line(row, "x", number) for number in (1, 2)]))
    assert len({call.id for call in calls}) == 2


@pytest.mark.parametrize("times", [0, 1])
def test_bodies_of_other_dialects_are_read_as_they_were_sent(log, times):
    asked = {"model": "claude-x", "max_tokens": 9, "system": "Be brief.", "messages": []}
    asked["messages"] = [{"role": "user", "content": "hi"}]
    message = {"type": "message", "model": "claude-x-1", "content": [{"type": "text", "text": "y"}]}
    response = {"output": [{"type": "message", "content": [{"type": "output_text", "text": "y"}]}]}
    for request, answered in ((asked, message), ({"model": "m", "input": "hi"}, response)):
        bodies: dict[str, Any] = {"request": request, "response": answered}
        for _ in range(times):
            bodies = {name: json.dumps(body) for name, body in bodies.items()}
        call = read(log.line("a", time=1793534400, latency_ms=5, **bodies))
        assert (call.answer.text, call.request.messages[-1].text) == ("y", "hi")
        assert (call.time, call.latency_ms) == (1793534400.0, 5.0)


def test_the_raw_text_of_a_stream_is_an_answer(log):
    chunks = [
        {"model": "m-1", "choices": [{"index": 0, "delta": {"content": "yes"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    assert read(log.line("a", response=text + "data: [DONE]\n\n")).answer.text == "yes"
    assert read(log.line("a", response=text[:60])) == reasons.MALFORMED_ANSWER
