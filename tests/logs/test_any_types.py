"""A log is anybody's: whatever stands where, reading it and counting its calls raises nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.logs.conftest import EXPORTS, FORMATS

from stepdown.audit.counting import Counting
from stepdown.core.audits import SourceCoverage
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.detect import choose_format
from stepdown.logs.lines import read_lines
from stepdown.logs.reading import Reading

FIXTURES = Path(__file__).parent / "fixtures"
FILES = sorted([*EXPORTS.iterdir(), *FIXTURES.iterdir()])
STREAM = ("data: ", "event: ")
ODD = (
    *(None, True, 0, -1, 7, 2.5, 1e300, 10**400, "", "x", "²", "9" * 5_000, "1e400", "{", "[1]"),
    *([], [1], [None], ["x"], [[]], [{}], {}, {"a": 1}, {"type": "text"}, {"role": []}),
    *({"content": 1}, {"stringValue": "x"}, {"kvlistValue": {"values": [{"key": "a"}]}}),
)
"""What no API writes, in places where it writes something else."""


def opened(value):
    """Return what a string holds that is JSON or a stream's text; any other value as it is."""
    if not isinstance(value, str):
        return value
    if value.startswith(STREAM) and "\n" in value:
        return value.split("\n")
    held = value.removeprefix("data: ")
    return json.loads(held) if held.startswith(('{"', "[{", '["')) else value


def places(value, path=()):
    """Yield the path of everything in a value, also of what stands in its strings."""
    if path:
        yield path
    inside = opened(value)
    if isinstance(inside, dict | list):
        for step in inside if isinstance(inside, dict) else range(len(inside)):
            yield from places(inside[step], (*path, step))


def changed(value: Any, path, odd) -> Any:
    """Return a value with something odd at one place."""
    if not path:
        return odd
    inside = opened(value)
    copy = dict(inside) if isinstance(inside, dict) else list(inside)
    copy[path[0]] = changed(inside[path[0]], path[1:], odd)
    if not isinstance(value, str):
        return copy
    if "\n" in value:
        return "\n".join(map(str, copy))
    return value[: -len(value.removeprefix("data: "))] + json.dumps(copy)


def counted(rows):
    """Read rows as their format does, count the calls, and return what was rejected."""
    lines = [Line(json.dumps(row).encode(), "x", number) for number, row in enumerate(rows)]
    reader = choose_format(FORMATS, rows)
    if reader is None:
        return {}
    entry, counting = SourceCoverage("x"), Counting()
    for call in Reading([entry], unanswered=True).calls(reader, lines, entry):
        counting.add(call)
    counting.finish()
    return entry.rejected


def rows_of(path):
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [line for file in files for line in read_lines(iter([file.read_bytes()]), "x")]
    return [json.loads(line.data) for line in found if isinstance(line, Line)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
@given(data=st.data())
@settings(max_examples=80, deadline=None)
def test_whatever_type_stands_in_a_line_it_is_read_or_counted(path, data):
    rows = rows_of(path)
    index = data.draw(st.integers(0, len(rows) - 1))
    place = data.draw(st.sampled_from(list(places(rows[index]))))
    rows[index] = changed(rows[index], place, data.draw(st.sampled_from(ODD)))
    assert reasons.ODD_FIELDS not in counted(rows)
