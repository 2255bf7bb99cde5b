"""The note that a running gateway leaves in its workspace, so that other commands can find it.

A gateway that was killed leaves its note behind: it is known by its process, which is gone.
"""

import os
import secrets
import time
from pathlib import Path

import msgspec

from stepdown.workspace.files import publish_file

__all__ = ["Presence", "announce", "present"]

_NOTES = "gateway-*.json"
_LONGEST = 4096


class Presence(msgspec.Struct, frozen=True):
    """Where a gateway listens, its process, and when it began (seconds since the epoch)."""

    address: str
    pid: int
    started: float


def announce(root: Path, address: str) -> Path:
    """Leave a note for this process and return its path; removing it is the caller's.

    Notes of gateways that were killed are removed.
    """
    for old in root.glob(_NOTES):
        left = _read(old)
        if left is None or not _lives(left.pid):
            old.unlink(missing_ok=True)
    note = Presence(address, os.getpid(), time.time())
    path = root / f"gateway-{note.pid}-{secrets.token_hex(2)}.json"
    publish_file(path, msgspec.json.encode(note))
    return path


def present(root: Path) -> list[Presence]:
    """Return the notes of gateways whose process lives, oldest first."""
    notes = [_read(path) for path in root.glob(_NOTES)]
    return sorted((note for note in notes if note and _lives(note.pid)), key=_since)


def _since(note: Presence) -> float:
    return note.started


def _read(path: Path) -> Presence | None:
    """Return what a note says; None where it says nothing of use, or was removed meanwhile."""
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(_LONGEST), type=Presence)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _lives(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # Another user's process: it lives.
        return True
    return True
