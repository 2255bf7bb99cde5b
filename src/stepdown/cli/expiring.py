"""Taking what is too old out of spooled logs, by the times of their calls."""

import os
from collections.abc import Iterable
from pathlib import Path

from stepdown.cli.options import Session
from stepdown.cli.sources import opened_log
from stepdown.core.audits import SourceCoverage
from stepdown.core.ports import Line, LogFormat
from stepdown.errors import LogError
from stepdown.logs.reading import items
from stepdown.logs.rewriting import spooled_lines, without_lines

__all__ = ["expire_spooled"]


def expire_spooled(session: Session, path: Path, before: float) -> int:
    """Take the records of calls before a time out of a spooled log; returns how many went.

    The file goes when its newest call is that old; with it go records without a time, which may be
    a call's other half. A log without any time is as old as the file.
    """
    status = path.stat()
    reader = newest = None
    try:
        for reader, lines, _ in opened_log(session, str(path)):
            newest = _newest(reader, lines)
    except LogError:
        # What can't be read has no times that are known.
        newest = None
    if (status.st_mtime if newest is None else newest) < before:
        count = sum(1 for _ in spooled_lines(path))
        path.unlink()
        return count
    if reader is None or newest is None:
        return 0
    found = reader

    def is_old(line: Line) -> bool:
        time = _newest(found, [line])
        return time is not None and time < before

    taken = without_lines(path, is_old)
    # What is left is no younger for it.
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return taken


def _newest(reader: LogFormat, lines: Iterable[Line | str]) -> float | None:
    """Return the time of the lines' newest call, answered or not; None where no call has any."""
    calls = items(reader, lines, SourceCoverage(""), unanswered=True)
    return max((call.time for call in calls if call.time is not None), default=None)
