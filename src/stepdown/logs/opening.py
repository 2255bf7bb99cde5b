"""Opening a log: its first lines are looked at, and tell which format it is in."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import msgspec

from stepdown.core.ports import Line, LogFormat
from stepdown.logs.detect import choose_format, describe, sample
from stepdown.logs.lines import LineOrReason, read_lines
from stepdown.logs.reasons import BROKEN_STREAM, TOO_LARGE, TOO_LONG
from stepdown.logs.sources import BrokenStream, read_chunks

__all__ = ["Looked", "look_at", "reopened"]

_SAMPLE_LINES = 200
_MOST_LINES = 2_000
_SAMPLE_BYTES = 4 * 1024 * 1024

Advance = Callable[[int], None]
Doubts = Callable[[Sequence[dict[str, Any]]], list[str]]


class Looked(msgspec.Struct):
    """A source whose first lines have been looked at; `lines` has them and all others.

    `found` says what it seems to be where it is in no known format, `doubts` what was told of the
    format and does not fit the lines.
    """

    path: str
    lines: Iterator[LineOrReason]
    format: LogFormat | None
    found: str = ""
    doubts: list[str] = []


def look_at(path: str, formats: Sequence[LogFormat], advance: Advance) -> Looked:
    """Open a log and tell its format by its first lines, and by more of them where none tells."""
    chunks = read_chunks(path, advance)
    try:
        head = next(chunks, b"")
    except BrokenStream:
        return Looked(path, iter((BROKEN_STREAM,)), None, "a damaged compressed file")
    lines = read_lines(chain([head], chunks), path)
    first: list[LineOrReason] = []
    objects: list[dict[str, Any]] = []
    while some := _some(lines):
        first += some
        seen = sample(some)
        objects = objects or seen
        chosen = choose_format(formats, seen)
        if chosen is not None:
            doubts: Doubts | None = getattr(chosen, "doubts", None)
            told = doubts(seen) if doubts else []
            return Looked(path, chain(first, lines), chosen, doubts=told)
        if len(some) < _SAMPLE_LINES or len(first) >= _MOST_LINES:
            break
    return Looked(path, chain(first, lines), None, _found(head, objects, first))


def _some(lines: Iterator[LineOrReason]) -> list[LineOrReason]:
    """Return the next lines, as many as may be held."""
    some: list[LineOrReason] = []
    held = 0
    for line in islice(lines, _SAMPLE_LINES):
        some.append(line)
        held += len(line.data) if isinstance(line, Line) else 0
        if held > _SAMPLE_BYTES:
            break
    return some


def _found(head: bytes, objects: Sequence[dict[str, Any]], first: Sequence[LineOrReason]) -> str:
    vast = next((line for line in first if line in (TOO_LONG, TOO_LARGE)), None)
    return f"a file without readable lines ({vast})" if vast else describe(head, objects)


def reopened(path: str, advance: Advance) -> Iterator[LineOrReason]:
    """Yield the lines of a log that was opened before."""
    yield from read_lines(read_chunks(path, advance), path)
