"""Tables (CSV, TSV, semicolons) → one JSON object a row, in bounded memory."""

import codecs
import csv
import re
from collections.abc import Iterator

import msgspec

from stepdown.core.ports import Line
from stepdown.logs.reasons import BROKEN_STREAM, INVALID_UTF8, ROW_LENGTH, TOO_LONG
from stepdown.logs.sources import BrokenStream

__all__ = ["read_table", "separator_of"]

_SEPARATORS = ",;\t"
_NAME = re.compile(r"[\w .:/\[\]()-]{1,80}")
_LONGEST_FIELD = 16 * 1024 * 1024
_ESCAPED = re.compile("[\udc80-\udcff]")

_encode = msgspec.json.Encoder().encode


def separator_of(first: bytes) -> str | None:
    """Return what separates the columns of a file that begins like this; None where it is no table.

    A table's first line names at least two columns, each once.
    """
    head = first[:65_536].lstrip().partition(b"\n")[0].rstrip(b"\r")
    if not head or head[:1] in (b"{", b"["):
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
        if len(names) > 1 and len(set(names)) == len(names) and all(map(_NAME.fullmatch, names)):
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
        if row is None:
            break
        if not names:
            names = row
        elif row:
            yield _row(names, row, source, rows.line_num)
    yield from broken


def _row(names: list[str], row: list[str], source: str, number: int) -> Line | str:
    if len(row) != len(names):
        return ROW_LENGTH
    if any(map(_ESCAPED.search, row)):
        return INVALID_UTF8
    return Line(_encode(dict(zip(names, row, strict=True))), source, number)


def _lines(chunks: Iterator[bytes], broken: list[str]) -> Iterator[str]:
    """Yield lines with their ends, as a field may hold line breaks."""
    decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    tail = ""
    try:
        for chunk in chunks:
            *whole, tail = (tail + decode(chunk)).split("\n")
            for line in whole:
                yield line + "\n"
    except BrokenStream:
        broken.append(BROKEN_STREAM)
    if tail:
        yield tail
