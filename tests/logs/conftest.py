"""What the tests of log reading share: the formats, one call's JSON, and a reader of everything."""

import json
from pathlib import Path

import pytest

from stepdown.core.audits import SourceCoverage
from stepdown.logs import (
    helicone,
    langfuse,
    litellm,
    native,
    openai_batch,
    openai_finetune,
    openai_stored,
    otel,
    plain,
    read_calls,
)

FORMATS = (
    helicone.FORMAT,
    langfuse.FORMAT,
    litellm.FORMAT,
    native.FORMAT,
    openai_batch.FORMAT,
    openai_finetune.FORMAT,
    openai_stored.FORMAT,
    otel.FORMAT,
    plain.FORMAT,
)
EXPORTS = Path(__file__).parent / "exports"
SYSTEM = "Name the customer's concern in one word."
ASKED = {
    "My parcel has not come yet.": "delivery",
    "I was charged twice.": "billing",
    "Where is my order?": "delivery",
    "How do I close my account?": "account",
}


class Log:
    """Makes log lines, and reads logs with what their coverage says."""

    formats = FORMATS

    @staticmethod
    def request(text="hi", **fields):
        return {"model": "m", "messages": [{"role": "user", "content": text}]} | fields

    @staticmethod
    def response(text="yes", **fields):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        return {"object": "chat.completion", "model": "m-1", "choices": [choice]} | fields

    @classmethod
    def line(cls, name="a", text="hi", **fields):
        record = {"request": cls.request(text), "response": cls.response()}
        return json.dumps(({"id": name} if name else {}) | record | fields).encode()

    @staticmethod
    def read(*sources):
        coverage: list[SourceCoverage] = []
        calls = list(read_calls([str(source) for source in sources], FORMATS, coverage))
        for entry in coverage:
            accounted = entry.calls + entry.duplicates + entry.joined + sum(entry.rejected.values())
            assert entry.lines == accounted
        return calls, coverage


@pytest.fixture(scope="session")
def log():
    return Log


@pytest.fixture(scope="session")
def exported(log):
    """Read an export, and check that it holds the four calls that each of them does."""

    def read(name):
        calls, (entry,) = log.read(EXPORTS / name)
        said = {call.request.messages[-1].text: call.answer.text for call in calls}
        assert said == ASKED
        assert {call.request.messages[0].text for call in calls} == {SYSTEM}
        assert {call.model for call in calls} <= {"gpt-4o-mini", "gpt-4o-mini-2024-07-18"}
        assert [call.time for call in calls] == [1793534400.0 + 60 * i for i in range(4)]
        assert [round(call.latency_ms) for call in calls] == [812] * 4
        assert {call.usage.output_tokens for call in calls} == {2}
        assert [call.usage.input_tokens for call in calls] == [30, 31, 32, 33]
        return calls, entry

    return read
