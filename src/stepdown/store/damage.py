"""What of a write-ahead log could not be used when it was opened.

SQLite reads a log up to the first page that is not as it was written, and says nothing of the rest.
Behind a process that was killed in mid-write that rest is what nobody was told was kept; behind a
damaged disk it may be more.
"""

import logging
import struct
from pathlib import Path

__all__ = ["tell_damage", "unusable_pages"]

_HEADER, _FRAME = 32, 24
_MAGIC = (0x377F0682, 0x377F0683)
_LAST_USED = 16
"""Where the log's index has the number of its last page in use."""


def tell_damage(path: Path, log: logging.Logger) -> None:
    """Say how much of the log of a database that was just opened could not be used, if any."""
    pages = unusable_pages(path)
    if pages:
        log.warning(
            "The log of %s ends in %d pages that can't be used: its writer was killed in "
            "mid-write, or the disk is damaged; what was committed before them is there.",
            path.name,
            pages,
        )


def unusable_pages(path: Path) -> int:
    """Return how many pages were added to the present log and can't be used; 0 where there is
    none. The database has to be open, so that its log was read."""
    try:
        with path.with_name(f"{path.name}-wal").open("rb") as wal:
            header = wal.read(_HEADER)
            size = wal.seek(0, 2)
            if len(header) < _HEADER or not any(header):
                return 0
            magic, _, page = struct.unpack(">3I", header[:12])
            index = path.with_name(f"{path.name}-shm").read_bytes()
            (used,) = struct.unpack_from("=I", index, _LAST_USED)
            if magic not in _MAGIC or not _sound(header, magic):
                # Nothing of it was read. The page size is not to be trusted either.
                return (size - _HEADER + 4095) // 4096
            found, frame = 0, page + _FRAME
            for start in range(_HEADER + used * frame, size, frame):
                wal.seek(start + 8)
                # What an older log left at the end has other salts.
                found += wal.read(8) == header[16:24]
            return found
    except (OSError, struct.error):
        return 0


def _sound(header: bytes, magic: int) -> bool:
    """Say whether the log's header has its own checksum."""
    words = struct.unpack(">6I" if magic & 1 else "<6I", header[:24])
    first = second = 0
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return struct.unpack(">2I", header[24:]) == (first, second)
