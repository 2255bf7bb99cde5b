"""Logs cut into shards that can be read apart, every line accounted for when put together.

Formats that join lines can't be cut: their calls come as they are.
"""

from collections.abc import Iterator, Sequence

import msgspec

from stepdown.core.audits import SourceCoverage
from stepdown.core.calls import Call
from stepdown.core.ports import Line, LogFormat, Progress, silent
from stepdown.logs.lines import LineOrReason
from stepdown.logs.reading import Reading, items

__all__ = ["Shard", "ShardRead", "account", "read_shard", "shards_of"]

_LINES = 4_096
_BYTES = 8 * 1024 * 1024


class Shard(msgspec.Struct, frozen=True):
    """Some lines of one file, in order, and the format that reads them."""

    format: LogFormat
    lines: tuple[LineOrReason, ...]


class ShardRead(msgspec.Struct, frozen=True):
    """What a shard's lines gave: its calls, with equal ids and all, and its lines accounted for."""

    calls: tuple[Call, ...]
    entry: SourceCoverage


def read_shard(shard: Shard, *, unanswered: bool = False) -> ShardRead:
    """Read a shard, alone; equal ids are left to whoever has seen all of them."""
    entry = SourceCoverage("")
    return ShardRead(tuple(items(shard.format, shard.lines, entry, unanswered=unanswered)), entry)


def account(entry: SourceCoverage, found: SourceCoverage) -> None:
    """Count what was found in a shard's lines; its calls are counted as they are taken."""
    entry.lines += found.lines
    entry.joined += found.joined
    for reason, count in found.rejected.items():
        entry.rejected[reason] = entry.rejected.get(reason, 0) + count


def shards_of(
    reading: Reading,
    sources: Sequence[str],
    formats: Sequence[LogFormat],
    progress: Progress = silent,
) -> Iterator[tuple[Shard | Iterator[Call], SourceCoverage]]:
    """Yield shards of the logs in order, each with its file's coverage.

    A format that joins lines comes as the iterator of its calls, which counts by itself. `account`
    counts what was found in a shard.
    """
    for reader, lines, entry in reading.opened(sources, formats, progress):
        if getattr(reader, "joins", False):
            yield reading.calls(reader, lines, entry), entry
            continue
        held: list[LineOrReason] = []
        size = 0
        for line in lines:
            held.append(line)
            size += len(line.data) if isinstance(line, Line) else 0
            if len(held) >= _LINES or size >= _BYTES:
                yield Shard(reader, tuple(held)), entry
                held, size = [], 0
        if held:
            yield Shard(reader, tuple(held)), entry
