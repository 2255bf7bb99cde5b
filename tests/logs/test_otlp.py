"""OTLP's batches and values."""

import json

import pytest

from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.otlp import read_record, records, told


def test_every_kind_of_value_is_a_plain_one():
    values = {
        "text": {"stringValue": "x"},
        "whole": {"intValue": "7"},
        "broken": {"doubleValue": 0.5},
        "flag": {"boolValue": False},
        "list": {"arrayValue": {"values": [{"stringValue": "a"}, {}]}},
        "object": {"kvlistValue": {"values": [{"key": "k", "value": {"intValue": 1}}]}},
        "none": {},
    }
    span = {"attributes": [{"key": key, "value": value} for key, value in values.items()]}
    assert told(read_record(json.dumps(span)).attributes) == {
        "text": "x",
        "whole": 7,
        "broken": 0.5,
        "flag": False,
        "list": ["a", None],
        "object": {"k": 1},
        "none": None,
    }


def test_spans_and_log_records_of_a_batch_are_lines_that_name_their_service():
    about = {"attributes": [{"key": "service.name", "value": {"stringValue": "care"}}]}
    batch = {
        "resourceSpans": [{"resource": about, "scopeSpans": [{"spans": [{"spanId": "1"}, {}]}]}],
        "resourceLogs": [{"scopeLogs": [{"logRecords": [{"spanId": "2"}]}]}],
    }
    lines = [line for line in records(Line(json.dumps(batch).encode(), "x", 3))]
    assert [json.loads(line.data) for line in lines if isinstance(line, Line)] == [
        {"service": "care", "spanId": "1"},
        {},
        {"spanId": "2"},
    ]


@pytest.mark.parametrize("name", [{"eventName": "e"}, {"attributes": [{"key": "event.name"}]}])
def test_what_has_a_name_and_no_start_is_an_event(name):
    if "attributes" in name:
        name["attributes"][0]["value"] = {"stringValue": "e"}
    body = {"kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "hi"}}]}}
    found = read_record(json.dumps({**name, "body": body})).event()
    assert found is not None
    assert (found.name, told(found.attributes)["content"]) == ("e", "hi")
    assert read_record(json.dumps({**name, "startTimeUnixNano": "5"})).event() is None


def test_what_is_broken_is_told():
    assert list(records(Line(b'{"resourceSpans": 5}', "x", 1))) == [reasons.MALFORMED_REQUEST]
    assert list(records(Line(b'{"resourceSpans', "x", 1))) == [reasons.CUT_OFF]
