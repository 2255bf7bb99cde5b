"""Splitting: nothing lost, nothing held beyond the bounds, whatever the chunks."""

import json
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stepdown.core.ports import Line
from stepdown.logs import lines, reasons
from stepdown.logs.lines import line_id, read_lines
from stepdown.logs.sources import BrokenStream


def split(*chunks):
    return [
        item if isinstance(item, str) else item.data for item in read_lines(iter(chunks), "log")
    ]


def cut_after(*chunks):
    yield from chunks
    raise BrokenStream


@given(
    st.lists(st.binary(max_size=6).map(lambda data: data.replace(b"\n", b"")), max_size=6),
    st.integers(1, 7),
)
@example([b",-"], 3)
def test_chunks_do_not_matter(texts, size):
    # A name of a column has no "!": what begins so is no table's first line, whatever follows.
    rows = [b"x!" + text for text in texts]
    data = b"\n".join(rows)
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    assert split(*chunks) == rows
    assert split(data + b"\n") == rows


def test_only_newlines_end_lines_and_blank_ones_do_not_count():
    text = b'{"a": "\xe2\x80\xa8 \x0b \x85"}\r\n\r\n  \n{"b": 1}'
    found = list(read_lines(iter([text]), "log"))
    assert [(item.number, item.data) for item in found if isinstance(item, Line)] == [
        (1, b'{"a": "\xe2\x80\xa8 \x0b \x85"}\r'),
        (4, b'{"b": 1}'),
    ]


def test_a_string_that_is_no_utf_8_stays_the_line_that_it_is():
    assert split(b'"caf\xe9"\n"{}"') == [b'"caf\xe9"', b"{}"]


def test_a_byte_order_mark_is_dropped():
    assert split(b'\xef\xbb\xbf{"a": 1}') == [b'{"a": 1}']


@pytest.mark.parametrize("piece", [7, 64, 10_000])
def test_a_line_too_long_is_counted_and_skipped(monkeypatch, piece):
    monkeypatch.setattr(lines, "MAX_LINE", 100)
    data = b"first\n" + b"y" * 5000 + b"\nlast\n" + b"z" * 300
    chunks = [data[at : at + piece] for at in range(0, len(data), piece)]
    assert split(*chunks) == [b"first", reasons.TOO_LONG, b"last", reasons.TOO_LONG]


def test_an_endless_line_is_never_held():
    def endless():
        for _ in range(200):
            yield b"x" * (1 << 20)
        yield b"\nafter"

    tracemalloc.start()
    found = list(read_lines(endless(), "log"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found[0] == reasons.TOO_LONG
    assert [item.data for item in found[1:] if isinstance(item, Line)] == [b"after"]
    assert peak < 3 * lines.MAX_LINE


def test_what_came_before_a_break_is_read_and_the_break_counts_once():
    found = list(read_lines(cut_after(b'{"a":1}\n{"b":2}\n{"c"'), "log"))
    assert [item if isinstance(item, str) else item.data for item in found] == [
        b'{"a":1}',
        b'{"b":2}',
        reasons.BROKEN_STREAM,
    ]
    assert list(read_lines(cut_after(), "log")) == [reasons.BROKEN_STREAM]
    assert list(read_lines(cut_after(b"["), "log")) == [reasons.BROKEN_STREAM]


ITEMS = [{"a": 1}, {"b": [2, {"c": "]"}]}]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wrap", [list, lambda items: {"object": "list", "data": items}])
def test_one_json_document_gives_its_items(indent, wrap):
    data = json.dumps(wrap(ITEMS), indent=indent).encode()
    assert [json.loads(item) for item in split(data)] == ITEMS
    middle = len(data) // 2
    assert split(data[:middle], data[middle:]) == split(data)


def test_an_indented_object_is_one_line():
    (item,) = split(json.dumps(ITEMS[1], indent=2).encode())
    assert json.loads(item) == ITEMS[1]


def test_pages_one_a_line_give_all_items():
    page = json.dumps({"object": "list", "data": ITEMS}).encode()
    assert [json.loads(item) for item in split(page + b"\n\n" + page)] == ITEMS * 2
    assert split(page + b"\n" + page[:-9])[2:] == [b'{"a": 1}', reasons.CUT_OFF]


@pytest.mark.parametrize("indent", [None, 2])
def test_whole_items_of_a_document_that_was_cut_off_are_kept(indent):
    for wrap in (ITEMS, {"object": "list", "data": ITEMS}):
        data = json.dumps(wrap, indent=indent).encode()
        first, last = split(data[:-9])
        assert (json.loads(first), last) == (ITEMS[0], reasons.CUT_OFF)
        first, last = [
            item if isinstance(item, str) else json.loads(item.data)
            for item in read_lines(cut_after(data[:-9]), "log")
        ]
        assert (first, last) == (ITEMS[0], reasons.BROKEN_STREAM)


def test_documents_that_follow_each_other_give_all_items():
    indented = "\n".join(json.dumps(item, indent=2) for item in ITEMS).encode()
    assert [json.loads(item) for item in split(indented)] == ITEMS
    assert split(indented + b"\n{\n  'a': 1\n}")[2:] == [reasons.NOT_JSON]
    arrays = json.dumps(ITEMS).encode() + b"\n" + json.dumps(ITEMS).encode()
    assert [json.loads(item) for item in split(arrays)] == ITEMS * 2


def test_a_broken_document_counts_once():
    assert split(b'[{"a": 1}, {"b"}') == [b'{"a": 1}', reasons.CUT_OFF]
    assert split(b'[{"a": 1}, {"\xe4') == [b'{"a": 1}', reasons.CUT_OFF]
    assert split(b"[{'a': 1}]") == [reasons.NOT_JSON]


def test_a_document_too_large_is_not_held(monkeypatch):
    monkeypatch.setattr(lines, "MAX_DOCUMENT", 50)
    assert split(b"[" + b" " * 40, b" " * 40, b"]") == [reasons.TOO_LARGE]


def test_ids_come_from_content_and_place():
    one = Line(b'{"a": 1}', "/x/log.jsonl", 1)
    assert line_id(one) == line_id(Line(one.data, "/elsewhere/log.jsonl", 1))
    assert line_id(one) != line_id(Line(one.data, "/x/log.jsonl", 2))
    assert line_id(one) != line_id(Line(one.data, "/x/other.jsonl", 1))
    assert line_id(one) != line_id(Line(b'{"a": 2}', "/x/log.jsonl", 1))
