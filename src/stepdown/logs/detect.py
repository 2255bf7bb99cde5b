"""Which format a log is in, and what a file that is no log seems to be instead."""

import csv
from collections.abc import Sequence
from typing import Any

import msgspec

from stepdown.core.ports import Line, LogFormat
from stepdown.logs.tables import separator_of

__all__ = ["EMPTY", "TABLE", "choose_format", "describe", "sample"]

EMPTY = "empty"
"""What `describe` calls a file without text."""

TABLE = "table whose columns"
"""What `describe` calls a file with columns and rows of them, whose names say nothing."""

_TAB = "\t"
_BINARY = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive (or an Office document)"),
    (b"SQLite format 3", "a SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"BZh", "bzip2-compressed"),
    (b"\xfd7zXZ", "xz-compressed"),
)

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def sample(lines: Sequence[Line | str]) -> list[dict[str, Any]]:
    """Return the JSON objects among the lines."""
    found: list[dict[str, Any]] = []
    for line in lines:
        if isinstance(line, Line):
            try:
                found.append(_decode(line.data))
            except (ValueError, RecursionError):
                continue
    return found


def choose_format(
    formats: Sequence[LogFormat], objects: Sequence[dict[str, Any]]
) -> LogFormat | None:
    """Return the first format that knows the objects as its own, or the one it says is `suited`."""
    # A format that takes almost anything is the last to be asked.
    ordered = sorted(formats, key=lambda known: getattr(known, "last", False))
    found = next((known for known in ordered if objects and known.detect(objects)), None)
    suited = getattr(found, "suited", None)
    return suited(objects) if suited else found


def describe(head: bytes, objects: Sequence[dict[str, Any]]) -> str:
    """Say what a file that begins with `head` seems to be."""
    if not head.strip():
        return EMPTY
    for magic, name in _BINARY:
        if head.startswith(magic):
            return name
    if objects and head.lstrip()[:1] in (b"{", b"["):
        keys = ", ".join(sorted(objects[0])[:6]) or "none"
        return f"JSON of no known format (its first object has the keys: {keys[:120]})"
    if b"\0" in head[:4096]:
        return "a binary file"
    return _describe_text(head.lstrip()[:65_536])


def _describe_text(head: bytes) -> str:
    if head[:1] in (b"{", b"["):
        return "broken JSON (none of its first lines can be decoded)"
    rows = [row.decode(errors="replace") for row in head.splitlines()[:4]]
    separator = separator_of(head)
    if separator is not None and _is_table(rows, separator):
        name = "TSV" if separator == _TAB else "CSV"
        columns = ", ".join(rows[0].split(separator))
        return (
            f"a {name} {TABLE} ({columns[:120]}) are not known: say which is which by "
            "`--map input=COLUMN --map output=COLUMN`"
        )
    return "text that is not JSON"


def _is_table(rows: Sequence[str], separator: str) -> bool:
    """Say whether a row has as many fields as there are columns; commas stand in prose as well."""
    try:
        first, *others = csv.reader(rows, delimiter=separator)
    except (csv.Error, ValueError):
        return False
    return any(len(row) == len(first) for row in others)
