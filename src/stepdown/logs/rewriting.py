"""Taking lines out of a log that is ours, so that every other line keeps its number and its id."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from stepdown.core.ports import Line
from stepdown.logs.lines import line_id, read_lines
from stepdown.logs.sources import read_chunks, written_whole

__all__ = ["line_id", "spooled_lines", "without_lines"]


def spooled_lines(path: Path) -> Iterator[Line]:
    """Yield the records of a spooled log as they stand there, one at a time."""
    for one in read_lines(read_chunks(str(path)), str(path)):
        if isinstance(one, Line):
            yield one


def without_lines(path: Path, gone: Callable[[Line], bool]) -> int:
    """Leave a spooled log without some of its records; returns how many went.

    It is left alone where there are none. Blank lines stand where others were; what was a table or
    one document becomes JSON lines.
    """
    taken = {one.number for one in spooled_lines(path) if gone(one)}
    if not taken:
        return 0

    def write(file: BinaryIO) -> Path:
        with zstandard.ZstdCompressor().stream_writer(file, closefd=False) as packed:
            number = 1
            # Read a second time: a log of any size goes through one record at a time.
            for one in spooled_lines(path):
                packed.write(b"\n" * (one.number - number))
                kept = one.data.replace(b"\n", b" ") if one.number not in taken else b""
                packed.write(kept + b"\n")
                number = one.number + 1
        return path

    written_whole(path.parent, write)
    return len(taken)
