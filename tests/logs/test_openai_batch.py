"""Batches: pairs join in any order, and what doesn't pair is counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.logs.conftest import EXPORTS

from stepdown.core.calls import Call, Usage
from stepdown.core.ports import Line
from stepdown.logs import openai_batch, reasons
from stepdown.logs.openai_batch import FORMAT


def asked(name="x", text="hi", **fields):
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    url = "/v1/chat/completions"
    return {"custom_id": name, "method": "POST", "url": url, "body": body} | fields


def answered(name="x", text="yes", status=200, **fields):
    body = {"created": 1793534400, "model": "m-1", "choices": [{"message": {"content": text}}]}
    response = {"status_code": status, "request_id": "r", "body": body}
    return {
        "id": f"b-{name}-{text}",
        "custom_id": name,
        "response": response,
        "error": None,
    } | fields


def read(*values):
    rows = [v if isinstance(v, bytes) else json.dumps(v).encode() for v in values]
    return list(FORMAT.read([Line(row, "batch.jsonl", at) for at, row in enumerate(rows, 1)]))


def faults(found):
    return sorted(item for item in found if isinstance(item, str))


@pytest.mark.parametrize("order", [1, -1])
def test_a_request_and_its_answer_are_one_call(order):
    joined, call = read(*[asked(), answered()][::order])
    assert joined == reasons.JOINED
    assert isinstance(call, Call)
    assert (call.id, call.model, call.time) == ("b-x-yes", "m-1", 1793534400.0)
    assert call.batched
    assert (call.request.messages[0].text, call.answer.text) == ("hi", "yes")


@given(st.permutations([f(name) for name in "abcd" for f in (asked, answered)]))
def test_any_order_joins_all(lines):
    found = read(*lines)
    calls = [item for item in found if isinstance(item, Call)]
    assert sorted(call.id for call in calls) == [f"b-{name}-yes" for name in "abcd"]
    assert faults(found) == [reasons.JOINED] * 4


def test_halves_without_the_other_are_counted():
    assert faults(read(asked("a"), answered("b"))) == [
        reasons.NO_ANSWER,
        openai_batch.NO_REQUEST_FOR_ANSWER,
    ]


def test_nobody_guesses_between_requests_of_one_name():
    lines = [asked(text="one"), asked(text="two"), answered(text="1"), answered(text="2")]
    assert read(*lines) == [openai_batch.AMBIGUOUS] * 4


def test_batches_one_after_another_may_use_the_same_names():
    found = read(asked(text="one"), answered(text="1"), asked(text="two"), answered(text="2"))
    calls = [item for item in found if isinstance(item, Call)]
    pairs = [(call.request.messages[0].text, call.answer.text) for call in calls]
    assert pairs == [("one", "1"), ("two", "2")]


def test_the_same_half_again_is_no_ambiguity():
    found = read(asked(), asked(), answered())
    assert found[0] == openai_batch.REPEATED
    assert isinstance(found[-1], Call)


@pytest.mark.parametrize(
    ("question", "answer", "reason"),
    [
        (asked(), answered(status=400), reasons.ERROR_ANSWER),
        (asked(), answered(response=None, error={"code": "expired"}), reasons.ERROR_ANSWER),
        (asked(url="/v1/embeddings"), answered(), reasons.NOT_CHAT),
        (asked(body={"model": "m"}), answered(), reasons.MALFORMED_REQUEST),
        (asked(body="text"), answered(), reasons.MALFORMED_REQUEST),
        (asked(), answered(response={"status_code": 200, "body": {}}), reasons.MALFORMED_ANSWER),
        (asked(), answered(response="text"), reasons.MALFORMED_ANSWER),
    ],
)
def test_a_pair_without_a_call_says_why(question, answer, reason):
    assert read(question, answer) == [reasons.JOINED, reason]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"custom_id": "x", ', reasons.CUT_OFF),
        ({"body": {}}, openai_batch.NO_CUSTOM_ID),
        (asked(5), openai_batch.NO_CUSTOM_ID),
        ({"custom_id": "x"}, reasons.NO_ANSWER),
    ],
)
def test_a_line_that_is_neither_half_says_why(line, reason):
    assert read(line) == [reason]


def test_what_waits_is_kept_on_disk_beyond_a_size(monkeypatch):
    monkeypatch.setattr(openai_batch, "_IN_MEMORY", 100)
    names = [str(number) for number in range(20)]
    found = read(*map(asked, names), *map(answered, names))
    assert [item.id for item in found if isinstance(item, Call)] == [f"b-{n}-yes" for n in names]


def test_batches_of_responses_and_of_anthropic_s_messages(log):
    calls, (entry,) = log.read(EXPORTS / "batches")
    assert (entry.format, entry.joined) == ("openai-batch", 5)
    assert entry.rejected == {reasons.ERROR_ANSWER: 1}
    assert [(call.id, call.answer.text, call.usage) for call in calls] == [
        ("batch_req_0", "delivery", Usage(30, 2)),
        ("msg_0", "delivery", Usage(30, 2)),
        ("batch_req_1", "billing", Usage(31, 2)),
        ("msg_1", "billing", Usage(31, 2)),
    ]
    assert {call.request.messages[0].role for call in calls} == {"system"}
    assert [call.time for call in calls] == [1793534400.0, None] * 2
    assert [call.model for call in calls[:2]] == [
        "gpt-4o-mini-2024-07-18",
        "claude-haiku-4-5-20251001",
    ]
