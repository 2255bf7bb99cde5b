"""Tables (CSV, TSV, semicolons) → one JSON object a row, in bounded memory."""

import codecs
import csv
import re
from collections.abc import Iterator

import msgspec

from stepdown.core.ports import Line
from stepdown.logs.reasons import BROKEN_STREAM, CUT_OFF, INVALID_UTF8, ROW_LENGTH, TOO_LONG
from stepdown.logs.sources import BrokenStream

__all__ = ["read_table", "separator_of"]

_SEPARATORS = ",;\t"
_NAME = re.compile(r"[\w .:/\[\]()$€£%#&+'?*@-]{0,80}")
_LONGEST_FIELD = 16 * 1024 * 1024
_ODD = re.compile("[\udc0d\udc80-\udcff]")
_CR = "\udc0d"
"""Stands for a lone "\\r" in a line: outside of quotes the library takes it for a line's end."""
_END = "\udc00"
"""Follows the last line: a field that has it was cut off within its quotes."""

_encode = msgspec.json.Encoder().encode


def separator_of(first: bytes) -> str | None:
    """Return what separates the columns of a file that begins like this; None where it is no table.

    A table's first line names at least two columns, each once; others may have no name. A line of
    JSON after it is of no table.
    """
    head, _, more = first[:65_536].lstrip(b" \r\n").partition(b"\n")
    head = head.rstrip(b"\r")
    if not head or head[:1] in (b"{", b"[") or more.startswith(b'{"'):
        return None
    try:
        line = head.decode()
    except UnicodeDecodeError:
        return None
    for separator in _SEPARATORS:
        try:
            names = next(csv.reader([line], delimiter=separator), list[str]())
        except csv.Error:  # a lone "\r": of a progress bar, or where another system ends lines
            return None
        known = [name for name in names if name]
        if len(set(known)) == len(known) > 1 and all(map(_NAME.fullmatch, names)):
            return separator
    return None


def read_table(chunks: Iterator[bytes], source: str, separator: str) -> Iterator[Line | str]:
    """Yield each row as the JSON object of its columns, or the reason why it can't be had."""
    # The library's own bound is for all of a process: ours is that of a line.
    csv.field_size_limit(_LONGEST_FIELD)
    broken: list[str] = []
    rows = csv.reader(_lines(chunks, broken), delimiter=separator)
    names: list[str] = []
    while True:
        try:
            row = next(rows, None)
        except csv.Error:
            yield TOO_LONG
            continue
        if row is None or row == [_END]:
            break
        if row and row[-1].endswith(_END):
            yield CUT_OFF
            break
        if not names:
            names = row
        elif row:
            yield _row(names, row, source, rows.line_num)
    yield from broken


def _row(names: list[str], row: list[str], source: str, number: int) -> Line | str:
    if len(row) != len(names):
        return ROW_LENGTH
    if any(map(_ODD.search, row)):
        row = [value.replace(_CR, "\r") for value in row]
        if any(map(_ODD.search, row)):
            return INVALID_UTF8
    named = {name: value for name, value in zip(names, row, strict=True) if name}
    return Line(_encode(named), source, number)


def _lines(chunks: Iterator[bytes], broken: list[str]) -> Iterator[str]:
    """Yield lines with their ends, as a field may hold line breaks."""
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    tail = ""
    try:
        for chunk in chunks:
            *whole, tail = (tail + decode(chunk)).split("\n")
            for line in whole:
                # Before the line's end it is a part of that.
                yield line[:-1].replace("\r", _CR) + line[-1:] + "\n"
    except BrokenStream:
        broken.append(BROKEN_STREAM)
    if tail:
        yield tail
    yield _END
