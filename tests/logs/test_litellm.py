"""LiteLLM's spend logs and payloads."""

import pytest

from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.litellm import FORMAT


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
