"""Rows in Needle's own form, read back by its own reader."""

import json

import msgspec

from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment
from stepdown.students.needle.dataset import lines_of, tools_of

from .conftest import TASK, trips


def test_a_row_is_what_the_package_reads(tmp_path):
    rows = [*trips(5), Example("n", (Segment("user", "hi \ud800"),), {"/tool": None})]
    data = lines_of(tools_of(TASK, rows), [*rows, Example("u", (), {}, known=False)])
    found = [json.loads(line) for line in data.decode().split("\n")[:-1]]
    assert len(found) == 6
    first = rows[0].record
    assert found[0]["answers"] == [
        {"name": first["/tool"], "arguments": {"city": first[f"/{first['/tool']}/city"]}}
    ]
    assert found[5]["answers"] == []
    assert [tool["name"] for tool in found[0]["tools"]] == ["book", "cancel"]


def test_tools_that_nobody_declared_are_what_was_called():
    bare = msgspec.structs.replace(TASK, tools_json="[]")
    tools = tools_of(bare, trips(40))
    assert [tool["name"] for tool in tools] == ["book", "cancel"]
    assert tools[0]["parameters"]["required"] == ["city"]


def test_several_calls_are_several_answers():
    pair = [{"name": "book", "arguments": {"city": "a"}}, {"name": "cancel", "arguments": {}}]
    row = Example("s", (Segment("user", "both"),), {"/calls": pair})
    assert json.loads(lines_of([], [row]))["answers"] == pair
