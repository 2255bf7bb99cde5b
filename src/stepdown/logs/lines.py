"""Bytes → lines, in bounded memory: JSON Lines, or the items of one JSON document."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import msgspec

from stepdown.core.ports import Line
from stepdown.logs.reasons import BROKEN_STREAM, TOO_LARGE, TOO_LONG, json_problem
from stepdown.logs.sources import BrokenStream
from stepdown.logs.tables import read_table, separator_of

__all__ = ["MAX_DOCUMENT", "MAX_LINE", "UNNAMED", "line_id", "read_lines"]

MAX_LINE = 16 * 1024 * 1024
"""Bytes of the longest line that is read; a longer one is skipped without being held."""

MAX_DOCUMENT = 64 * 1024 * 1024
"""Bytes of the largest file that is read as one JSON document instead of line by line."""

UNNAMED = "line-"
"""What the ids of calls begin with whose lines carry none."""

_BETWEEN = re.compile(r"[\s,\[\]]*")
_LIST_BEGIN = re.compile(r'\s*\{\s*(?:"object"\s*:\s*"list"[^\[{]*)?"data"\s*:\s*\[')
_BOM = b"\xef\xbb\xbf"
_LIST_OBJECT = re.compile(rb'\s*\{\s*"(?:object"\s*:\s*"list"|data"\s*:\s*\[)')

LineOrReason = Line | str


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]


_page = msgspec.json.Decoder(_Page)
_items = msgspec.json.Decoder(list[msgspec.Raw])


def read_lines(chunks: Iterator[bytes], source: str) -> Iterator[LineOrReason]:
    """Yield each line that is not blank, or the reason why it can't be had.

    Lines end with "\\n" alone (texts may hold other separators). What begins as a JSON array, as a
    list object ({"object": "list", "data": […]}) or as an indented object is read as a whole, and
    its items are the lines: the whole ones where it was cut off, and those of several in a row. A
    table's lines are its rows, as JSON objects.
    """
    first = b""
    rest = chunks
    try:
        first = next(chunks, b"").removeprefix(_BOM)
    except BrokenStream:
        rest = _broken()
    separator = separator_of(first)
    if separator is not None:
        yield from read_table(chain([first], rest), source, separator)
        return
    whole = _document_reader(first)
    yield from (whole or _split)(chain([first], rest), source)


def line_id(line: Line) -> str:
    """Name a line that carries no id: by content, file name and place.

    Equal lines at different places stay different calls, since repeats are what an audit measures.
    A record of several lines is named as it is on one, which it becomes where others are taken out.
    """
    name = line.source.replace("\\", "/").rpartition("/")[2]
    place = f"{name}:{line.number}:".encode()
    return UNNAMED + hashlib.sha256(place + line.data.replace(b"\n", b" ")).hexdigest()[:20]


def _broken() -> Iterator[bytes]:
    raise BrokenStream
    yield b""


Reader = Callable[[Iterator[bytes], str], Iterator[LineOrReason]]


def _document_reader(first: bytes) -> Reader | None:
    """Choose how to read what begins like this; None is line by line."""
    start = first.lstrip()
    if start.startswith(b"[") or start.partition(b"\n")[0].strip() == b"{":
        return _document
    if not _LIST_OBJECT.match(start):
        return None
    line, newline, more = start.partition(b"\n")
    pages = newline and more.strip() and json_problem(line) is None
    return _pages if pages else _document


def _split(chunks: Iterator[bytes], source: str) -> Iterator[LineOrReason]:
    for number, data in enumerate(_raw_lines(chunks), 1):
        if isinstance(data, str):
            yield data
        elif data and not data.isspace():
            yield Line(_inside(data) if data.startswith(b'"') else data, source, number)


def _inside(data: bytes) -> bytes:
    """Return the object that a line's string holds: some loggers encode what is JSON already."""
    try:
        text = msgspec.json.decode(data, type=str)
    except ValueError:  # no JSON, or not UTF-8
        return data
    return text.encode() if text.lstrip().startswith("{") else data


def _raw_lines(chunks: Iterator[bytes]) -> Iterator[bytes | str]:
    tail = b""
    skipping = False
    try:
        for chunk in chunks:
            lines = chunk.split(b"\n")
            if len(lines) > 1:
                if skipping:
                    yield TOO_LONG
                else:
                    yield _bounded(tail + lines[0])
                inner = lines[1:-1]
                yield from inner if len(chunk) <= MAX_LINE else map(_bounded, inner)
                tail, skipping = lines[-1], False
            elif not skipping:
                tail += chunk
            if len(tail) > MAX_LINE:
                tail, skipping = b"", True
    except BrokenStream:
        yield BROKEN_STREAM
        return
    yield TOO_LONG if skipping else _bounded(tail)


def _bounded(line: bytes) -> bytes | str:
    return line if len(line) <= MAX_LINE else TOO_LONG


def _pages(chunks: Iterator[bytes], source: str) -> Iterator[LineOrReason]:
    number = 0
    for data in _raw_lines(chunks):
        if isinstance(data, str):
            yield data
            continue
        if not data or data.isspace():
            continue
        for item in _expanded(data):
            number += 1
            yield item if isinstance(item, str) else Line(bytes(item), source, number)


def _document(chunks: Iterator[bytes], source: str) -> Iterator[LineOrReason]:
    data = bytearray()
    broken: list[str] = []
    try:
        for chunk in chunks:
            data += chunk
            if len(data) > MAX_DOCUMENT:
                yield TOO_LARGE
                return
    except BrokenStream:
        broken.append(BROKEN_STREAM)
    for number, item in enumerate(_expanded(bytes(data)), 1):
        if not isinstance(item, str):
            yield Line(bytes(item), source, number)
        elif not broken:
            yield item
    yield from broken


def _expanded(data: bytes) -> Iterable[msgspec.Raw | bytes | str]:
    """Return the items of an array or list object; any other object is its own only item."""
    try:
        return _items.decode(data) if data.lstrip().startswith(b"[") else _page.decode(data).data
    except (ValueError, RecursionError):
        problem = json_problem(data)
        return [data] if problem is None else _whole_items(data, problem)


def _whole_items(data: bytes, problem: str) -> Iterator[bytes | str]:
    """Yield the objects of JSON that was cut off, or that follow each other; then why no more."""
    text = data.decode(errors="surrogateescape")
    decode = json.JSONDecoder().raw_decode
    begin = _LIST_BEGIN.match(text)
    at = begin.end() if begin else 0
    while (between := _BETWEEN.match(text, at)) and (at := between.end()) < len(text):
        try:
            end = decode(text, at)[1]
        except (ValueError, RecursionError):
            yield problem
            return
        yield text[at:end].encode(errors="surrogateescape")
        at = end
