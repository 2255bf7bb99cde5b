"""Langfuse's observations."""

import json
from typing import Any

import pytest

from stepdown.core.calls import Usage
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.langfuse import FORMAT


def read(**changes) -> Any:
    row = {
        "id": "o",
        "type": "GENERATION",
        "traceId": "t",
        "startTime": "2026-11-01T12:00:00Z",
        "model": "m",
        "input": "hi",
        "output": "yes",
    }
    (found,) = FORMAT.read([Line(json.dumps(row | changes).encode(), "x", 1)])
    return found


def test_the_api(exported):
    calls, entry = exported("langfuse_api.jsonl")
    assert entry.format == "langfuse"
    assert entry.rejected == {reasons.ERROR_ANSWER: 1, reasons.NOT_CHAT: 1}
    assert {call.task for call in calls} == {"concern"}
    assert calls[0].cost_usd == pytest.approx(0.0000057)
    assert calls[0].request.params == {"temperature": "0"}


def test_the_blob_export(exported):
    calls, entry = exported("langfuse_blob.jsonl")
    assert (entry.format, entry.rejected) == ("langfuse", {})
    assert calls[0].usage == Usage(30, 2, 2)
    assert calls[0].cost_usd is None


@pytest.mark.parametrize(
    "given",
    [
        "hi",
        {"prompt": "hi"},
        {"role": "user", "content": "hi"},
        [{"role": "human", "content": "hi"}],
        json.dumps([{"type": "human", "content": "hi"}]),
    ],
)
def test_whatever_shape_the_input_has(given):
    call = read(input=given)
    assert [(m.role, m.text) for m in call.request.messages] == [("user", "hi")]


@pytest.mark.parametrize(
    "given",
    [
        "yes",
        {"completion": "yes"},
        {"role": "assistant", "content": "yes"},
        [{"role": "ai", "content": "yes"}],
        json.dumps({"content": "yes"}),
        {"choices": [{"message": {"role": "assistant", "content": "yes"}}]},
    ],
)
def test_whatever_shape_the_output_has(given):
    assert read(output=given).answer.text == "yes"


def test_what_an_application_made_of_either_is_json_text():
    call = read(input={"ticket": "lost"}, output={"label": "delivery"})
    assert call.request.messages[0].text == '{"ticket":"lost"}'
    assert call.answer.text == '{"label":"delivery"}'


def test_without_content_and_broken():
    assert read(input=None, output=None) == reasons.NO_CONTENT
    assert read(output=None) == reasons.NO_ANSWER
    assert list(FORMAT.read([Line(b"{", "x", 1)])) == [reasons.CUT_OFF]


@pytest.mark.parametrize("name", ["cache_creation_input_tokens", "input_cache_creation"])
def test_what_was_put_into_the_cache_is_counted_beside_the_rest(name):
    details = {"input": 10, "output": 3, "cache_read_input_tokens": 2_000, name: 1_000}
    assert read(usageDetails=details).usage == Usage(3_010, 3, 2_000, 1_000)
