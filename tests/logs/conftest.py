"""What the tests of log reading share: the formats, one call's JSON, and a reader of everything."""

import json

import pytest

from stepdown.core.audits import SourceCoverage
from stepdown.logs import native, openai_batch, openai_finetune, openai_stored, read_calls

FORMATS = (native.FORMAT, openai_batch.FORMAT, openai_stored.FORMAT, openai_finetune.FORMAT)


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
