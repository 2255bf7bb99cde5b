"""`gold.jsonl`: what people said of a task's answers, one line each, only ever added to."""

import os
from pathlib import Path

import msgspec

from stepdown.core.gold import Gold, latest
from stepdown.errors import ArtefactError
from stepdown.workspace.files import locked

__all__ = ["add_gold", "read_gold"]


def read_gold(path: Path) -> dict[str, Gold]:
    """Return the last word on each item; without the file there is none.

    Raises:
        ArtefactError: a whole line is not what this module writes.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    decode = msgspec.json.Decoder(Gold).decode
    # What stands behind the last newline was being written when its process was killed.
    whole = data[: data.rfind(b"\n") + 1].splitlines()
    try:
        return latest(decode(line) for line in whole)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"{path.name} of task {path.parent.name} can't be read ({error}); mend the line, or "
            "remove it and review its row again."
        ) from error


def add_gold(path: Path, gold: Gold) -> None:
    """Add a line; it is on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(path.with_name(".gold.lock")):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        with open(descriptor, "rb+") as file:
            # Half a line that a killed process left was never told as kept.
            file.truncate(file.read().rfind(b"\n") + 1)
            file.seek(0, os.SEEK_END)
            file.write(msgspec.json.encode(gold) + b"\n")
            file.flush()
            os.fsync(file.fileno())
