"""Plain lines and tables, by names that are usual and by names that are told."""

import json
from typing import Any

import pytest
from tests.logs.conftest import EXPORTS

from stepdown.core.audits import SourceCoverage
from stepdown.core.calls import Usage
from stepdown.core.ports import Line
from stepdown.errors import UsageError
from stepdown.logs import read_calls, reasons
from stepdown.logs.detect import choose_format
from stepdown.logs.plain import FORMAT, Plain, mapped

USER = [{"role": "user", "content": "hi"}]


def read(row, reader=FORMAT) -> Any:
    data = row if isinstance(row, bytes) else json.dumps(row).encode()
    (found,) = reader.read([Line(data, "x", 1)])
    return found


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "hi", "completion": "yes"},
        {"messages": USER, "answer": "yes"},
        {"input": json.dumps(USER), "output": {"role": "assistant", "content": "yes"}},
        {"request_body": {"messages": USER}, "response_body": {"completion": "yes"}},
    ],
)
def test_usual_names(row):
    assert FORMAT.detect([row])
    call = read(row)
    assert (call.request.messages[-1].text, call.answer.text) == ("hi", "yes")


def test_all_that_a_line_may_tell():
    call = read(
        {
            "id": 7,
            "system": "Be brief.",
            "prompt": "hi",
            "output": "yes",
            "model": "m",
            "timestamp": "2026-11-01 12:00:00",
            "latency": "12.5",
            "usage": {"prompt_tokens": 9, "completion_tokens": 1},
            "cost": "0.5",
            "metadata": {"stepdown_task": "t", "group": "g"},
        }
    )
    assert [message.role for message in call.request.messages] == ["system", "user"]
    assert (call.id, call.model, call.time) == ("7", "m", 1793534400.0)
    assert (call.latency_ms, call.usage, call.cost_usd) == (12.5, Usage(9, 1), 0.5)
    assert (call.task, call.group) == ("t", "g")


def test_names_that_are_told():
    reader = Plain(mapped(["input=body.q.0", "output=label", "cost_usd=price.usd"]))
    assert reader.detect([{"noise": 1}, {"body": {"q": ["hi"]}, "label": "yes"}])
    assert not reader.detect([{"noise": 1}, {"body": {"q": ["hi"]}}, {"label": "yes"}])
    call = read({"body": {"q": ["hi"]}, "label": "yes", "price.usd": 2}, reader)
    assert (call.request.messages[0].text, call.answer.text, call.cost_usd) == ("hi", "yes", 2.0)
    assert read({"body": {"q": []}, "label": "yes"}, reader) == reasons.NO_REQUEST
    assert read({"body": "x", "label": None}, reader) == reasons.NO_CONTENT


@pytest.mark.parametrize("pair", ["input", "input=", "colour=x"])
def test_a_pair_that_is_none_is_refused(pair):
    with pytest.raises(UsageError, match="FIELD=PATH"):
        mapped([pair])


def test_what_has_no_input_or_no_output_is_not_plain():
    assert not FORMAT.detect([{"prompt": "hi"}, {"answer": "yes"}])
    assert read(b"{") == reasons.CUT_OFF


def test_a_table_is_read_by_its_header(log, tmp_path):
    path = tmp_path / "calls.csv"
    path.write_text('prompt,completion,model\n"one\ntwo",yes,m\n"a ""b""",no,m\nhi\n')
    calls, (entry,) = log.read(path)
    assert [call.request.messages[0].text for call in calls] == ["one\ntwo", 'a "b"']
    assert (entry.format, entry.rejected) == ("plain", {reasons.ROW_LENGTH: 1})


def test_what_was_told_holds_where_it_stands(log, tmp_path):
    native, rows = tmp_path / "native.jsonl", tmp_path / "rows.csv"
    native.write_bytes(b"\n".join(log.line(name) for name in "ab"))
    rows.write_text("frage,label,asked\nhi,yes,yesterday\n", encoding="utf-8")
    told = Plain(mapped(["input=frage", "output=label", "time=asked", "model=modell"]))
    coverage: list[SourceCoverage] = []
    sources = [str(native), str(rows)]
    assert len(list(read_calls(sources, [told, *log.formats], coverage))) == 3
    assert [(one.format, one.rejected) for one in coverage] == [("native", {}), ("plain", {})]
    assert coverage[0].notes == []
    assert coverage[1].notes == [
        "--map time=asked: 'yesterday' is no time.",
        "--map model=modell: none of the first lines has it.",
    ]


def test_the_other_names_told_are_of_lines_that_are_plain(log):
    told = Plain(mapped(["time=asked"]))
    assert choose_format([told, *log.formats], [json.loads(log.line())]).name == "native"
    assert choose_format([told, *log.formats], [{"prompt": "hi", "answer": "yes"}]) is told


def test_a_field_may_stand_in_a_string_of_json():
    usage = json.dumps({"prompt_tokens": 40, "completion_tokens": 3})
    call = read({"prompt": "hi", "completion": "yes", "usage": usage})
    assert call.usage == Usage(40, 3)


def test_the_shapes_of_plain_lines(log):
    """A prompt, chat bodies, responses with their lists of items, and a pair of preferences."""
    calls, (entry,) = log.read(EXPORTS / "plain.jsonl")
    assert (entry.format, entry.rejected) == ("plain", {})
    assert {call.answer.text for call in calls} == {"delivery"}
    assert {call.request.messages[0].text for call in calls} == {
        "Name the customer's concern in one word."
    }
    assert [len(call.request.messages) for call in calls] == [2, 2, 2, 4, 2]
    assert calls[3].request.messages[2].tool_calls[0].name == "note"


def test_a_provider_s_usage_tells_of_its_cache():
    usage = {"input_tokens": 10, "output_tokens": 3, "cache_read_input_tokens": 2_000}
    row = {"prompt": "hi", "completion": "yes", "usage": usage}
    assert read(row).usage == Usage(2_010, 3, 2_000)
    told = Plain(mapped(["input_tokens=read", "output_tokens=made"]))
    assert read({**row, "read": 7, "made": 3}, told).usage == Usage(7, 3)
