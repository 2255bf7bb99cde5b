"""The tool-call benchmarks measure what they say, on small sets."""

import json

from tests.cli.bench.small import booked, dialogues, write_set

from stepdown.cli.bench import tools
from stepdown.core.calls import Answer, ToolCall
from stepdown.core.ports import Prediction, silent


def test_snips_counts_the_tool_and_all_arguments(tmp_path, monkeypatch):
    def rows():
        for row in booked(600):
            start = "drive" if row["label"] == "Travel" else "ride daily"
            yield row | {"text": f"{start} {row['text']}"}

    write_set(tmp_path, "snips", rows())
    monkeypatch.setattr(tools, "CALIBRATION_ROWS", 160)
    exact, answered, seconds = tools.snips(tmp_path, silent)
    assert exact.number > 85
    assert 0 <= answered.number <= 100
    assert seconds.number > 0


def test_sgd_trains_tool_sets_with_enough_calls_alone(tmp_path, monkeypatch):
    write_set(tmp_path, "sgd_calls", dialogues(200))
    monkeypatch.setattr(tools, "FAMILIES", ("linear", "linear"))
    summary, mine, again, _ = tools.sgd(tmp_path, silent)
    assert summary.number == mine.number > 80
    assert "+0.0 points to linear" in again.note
    monkeypatch.setattr(tools, "LEAST_CALLS", 1000)
    assert tools.sgd(tmp_path, silent) == []


def test_any_listed_value_is_right_and_nothing_else():
    row = {
        "expected": [{"name": "f", "arguments": {"a": ["x", "X"], "b": ["y"]}, "optional": ["b"]}]
    }

    def right(name, **arguments):
        call = ToolCall(name, json.dumps(arguments))
        return tools._right(Prediction({}, Answer(tool_calls=(call,)), 1.0), row)

    assert right("f", a="X")
    assert right("f", a="x", b="y")
    assert not right("f")
    assert not right("f", a="x", b="z")
    assert not right("f", a="x", c="y")
    assert not right("g", a="x")
    assert not tools._right(Prediction({}, None, 0.0), row)
