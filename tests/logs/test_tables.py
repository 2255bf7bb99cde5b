"""Tables to lines."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.logs import reasons
from stepdown.logs.sources import BrokenStream
from stepdown.logs.tables import read_table, separator_of

cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)


@given(st.lists(st.tuples(cells, cells), max_size=6), st.integers(1, 9), st.sampled_from(",;\t"))
def test_rows_come_back_however_the_bytes_are_cut(rows, size, separator):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *rows])
    data = out.getvalue().encode()
    chunks = iter([data[at : at + size] for at in range(0, len(data), size)])
    found: list[Any] = list(read_table(chunks, "x", separator))
    assert [json.loads(line.data) for line in found] == [{"a": a, "b": b} for a, b in rows]


@pytest.mark.parametrize(
    ("head", "separator"),
    [
        (b"prompt,answer\n", ","),
        (b"prompt\tanswer\n", "\t"),
        (b"input.value;output.value\r\n", ";"),
        (b'{"a": 1, "b": 2}\n', None),
        (b"Dear all,\nplease", None),
        (b"a,a\n", None),
        (b"prompt\n", None),
        (b"\xff,\xfe\n", None),
        (b'"caf\xe9",b\n', None),
        (b",prompt,response\n0,hi,yes\n", ","),
        (b"\tprompt\tresponse\n0\thi\tyes\n", "\t"),
        (b"prompt,response,cost ($)\n", ","),
        (b"prompt,response,\n", ","),
        (b"prompt,\n", None),
        (b'Read 60, wrote 60\n{"id": 1}\n', None),
        (b"a,b\r1,2\r", None),
        (b"10 %\r100 %\n", None),
        (b"", None),
    ],
)
def test_what_is_a_table(head, separator):
    assert separator_of(head) == separator


def broken():
    yield b"a,b\n1,2\n3"
    raise BrokenStream


def test_what_cannot_be_had_says_why():
    assert list(read_table(iter([b"a,b\n1\n\xff,2\n"]), "x", ",")) == [
        reasons.ROW_LENGTH,
        reasons.INVALID_UTF8,
    ]
    *_, last = read_table(broken(), "x", ",")
    assert last == reasons.BROKEN_STREAM


def rows_of(data) -> list[Any]:
    return list(read_table(iter([data]), "x", ","))


def test_columns_without_a_name_are_left_out():
    (line,) = rows_of(b",prompt,response,\n7,hi,yes,\n")
    assert json.loads(line.data) == {"prompt": "hi", "response": "yes"}


@pytest.mark.parametrize("end", [b'"yes', b'"yes\nand more', b'"'])
def test_a_table_that_ends_within_quotes_was_cut_off(end):
    line, last = rows_of(b"prompt,response\nhi,yes\nhi," + end)
    assert json.loads(line.data) == {"prompt": "hi", "response": "yes"}
    assert last == reasons.CUT_OFF
    assert len(rows_of(b'prompt,response\nhi,"yes"')) == 1


def test_a_lone_carriage_return_is_a_part_of_its_field():
    found = rows_of(b'prompt,response\r\na\rb,"c\rd\r\ne"\r\nf,g\r\n')
    assert [json.loads(line.data) for line in found] == [
        {"prompt": "a\rb", "response": "c\rd\r\ne"},
        {"prompt": "f", "response": "g"},
    ]
