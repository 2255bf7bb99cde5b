"""LiteLLM's spend logs and payloads."""

import json

import pytest

from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.litellm import FORMAT, TRUNCATED


def test_spend_rows(exported):
    calls, entry = exported("litellm_spend.jsonl")
    assert entry.format == "litellm"
    assert entry.rejected == {
        reasons.ERROR_ANSWER: 1,
        reasons.NO_CONTENT: 1,
        reasons.NOT_CHAT: 1,
    }
    assert [call.group for call in calls] == ["s0", "s1", "s0", "s1"]
    assert calls[0].task == "concerns"
    assert calls[0].request.params == {"temperature": 0}


def test_a_cost_of_nothing_for_tokens_is_unknown(exported):
    calls, _ = exported("litellm_spend.jsonl")
    assert calls[0].cost_usd == pytest.approx(0.0000057)
    assert calls[2].cost_usd is None


def test_payloads(exported):
    calls, entry = exported("litellm_payload.jsonl")
    assert entry.format == "litellm"
    assert entry.rejected == {reasons.NO_CONTENT: 1}
    assert {call.task for call in calls} == {"concerns"}
    assert calls[3].cost_usd == 0.0  # from its cache


@pytest.mark.parametrize("data", [b"{", b'{"messages": "{"}', b'{"proxy_server_request": "[1"}'])
def test_what_is_broken_is_told(data):
    (found,) = FORMAT.read([Line(data, "x", 1)])
    assert isinstance(found, str)


CUT = "Where is... (litellm_truncated skipped 4675 chars. A safeguard.) ...my order?"


@pytest.mark.parametrize(
    ("asked", "said", "reason"),
    [
        (CUT, {"content": "delivery"}, TRUNCATED),
        ("hi", {"content": CUT}, TRUNCATED),
        ("hi", {"tool_calls": [{"function": {"name": "f", "arguments": CUT}}]}, TRUNCATED),
        ("hi", {"content": "delivery", "reasoning_content": CUT}, None),
    ],
)
def test_a_text_without_its_middle_is_none(asked, said, reason):
    body = {"model": "m", "messages": [{"role": "user", "content": asked}]}
    row = {
        "request_id": "x",
        "call_type": "acompletion",
        "spend": 0.1,
        "messages": {},
        "proxy_server_request": json.dumps(body),
        "response": {"choices": [{"message": said}]},
    }
    (found,) = FORMAT.read([Line(json.dumps(row).encode(), "x", 1)])
    assert (found if isinstance(found, str) else None) == reason
