"""Formats are told by content; what is no log is called by its name."""

import json

import pytest

from stepdown.core.ports import Line
from stepdown.logs.detect import choose_format, describe, sample

EXAMPLES = {
    "native": [
        {"request": {"messages": []}, "response": {}},
        {"custom_id": "x", "request": {"messages": []}, "response": {}},
        {"id": 1, "request": {"contents": []}},
    ],
    "openai-batch": [
        {"custom_id": "a", "params": {"messages": []}},
        {"custom_id": "a", "result": {"type": "succeeded", "message": {}}},
        {"custom_id": "x", "method": "POST", "url": "/v1/chat/completions", "body": {}},
        {"id": "b", "custom_id": "x", "response": None, "error": {}},
    ],
    "openai-stored": [
        {"object": "chat.completion", "choices": [], "request": {"messages": []}},
        {"choices": [], "messages": []},
    ],
    "openai-finetune": [{"messages": []}, {"messages": [], "tools": []}],
    "otel": [
        {"resourceSpans": []},
        {"resourceLogs": []},
        {"name": "chat", "attributes": []},
        {"body": {}, "attributes": []},
    ],
    "litellm": [
        {"request_id": "r", "call_type": "acompletion", "spend": 0, "messages": {}, "response": {}},
        {"id": "r", "call_type": "acompletion", "response_cost": 0, "messages": []},
    ],
    "langfuse": [
        {"traceId": "t", "startTime": "", "type": "GENERATION", "input": "x", "output": "y"},
        {"trace_id": "t", "start_time": "", "type": "SPAN", "input": "", "output": ""},
    ],
    "helicone": [{"request_id": "r", "request_body": {}, "response_status": 200}],
}
TOLD = (
    "{} table whose columns ({}) are not known: say which is which by `--map input=COLUMN --map "
    "output=COLUMN`"
)
CASES = [(name, line) for name, lines in EXAMPLES.items() for line in lines]


@pytest.mark.parametrize(("name", "line"), CASES)
def test_exactly_one_format_knows_a_line(log, name, line):
    # `plain` takes almost anything, and is asked last.
    formats = [known for known in log.formats if known.name != "plain"]
    knowing = [known.name for known in formats if known.detect([{"noise": 1}, line])]
    assert knowing == [name]
    assert choose_format(log.formats, [line]).name == name


def test_a_custom_id_alone_is_no_batch(log):
    row = {"custom_id": "a", "prompt": "hi", "answer": "yes", "params": "x", "result": "y"}
    assert choose_format(log.formats, [row]).name == "plain"


def test_no_format_for_other_objects(log):
    assert choose_format(log.formats, [{"a": 1}, {"request": "text"}]) is None
    assert choose_format(log.formats, []) is None


def test_the_sample_is_what_can_be_decoded():
    rows = [b'{"a": 1}', b'{"a": ', b"[1]", b"\xff", b"[" * 100_000, b'{"b": 2}']
    lines = [Line(row, "x", at) for at, row in enumerate(rows)]
    assert sample([*lines, "line too long"]) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"", "empty"),
        (b" \n\t\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "a PNG image"),
        (b"PK\x03\x04\0", "a ZIP archive (or an Office document)"),
        (b"\x01\x02\0\0", "a binary file"),
        (b"id,text,label\n1,hi,a\n", TOLD.format("a CSV", "id, text, label")),
        (b'id;text\n1;"hi, all; or not"\n', TOLD.format("a CSV", "id, text")),
        (b"id\ttext\n1\thi\n", TOLD.format("a TSV", "id, text")),
        (b"Hello, all\nthe logs are attached", "text that is not JSON"),
        (b"Dear all,\nplease find attached", "text that is not JSON"),
        (b'{"a": 1, ', "broken JSON (none of its first lines can be decoded)"),
    ],
)
def test_what_is_no_log_is_called_by_its_name(head, what):
    assert describe(head, []) == what


def test_other_json_is_described_by_its_keys():
    described = describe(json.dumps({"b": 1, "a": 2}).encode(), [{"b": 1, "a": 2}])
    assert described == "JSON of no known format (its first object has the keys: a, b)"
