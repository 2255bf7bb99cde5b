"""A process that waits for another's end, then ends what that left of a cluster, files and all.

Parts of a cluster whose command is killed look for its rest for a minute before they give up.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["clear", "holders"]

_PATIENCE_S = 20.0


def holders(folder: Path) -> Iterator[int]:
    """Yield the processes that have a file of the folder open, but for this one and its parent."""
    own = {str(os.getpid()), str(os.getppid())}
    for process in Path("/proc").glob("[0-9]*"):
        # They come and go, and others' are closed to us.
        with contextlib.suppress(OSError):
            links = (os.readlink(link) for link in (process / "fd").iterdir())
            if process.name not in own and any(link.startswith(f"{folder}/") for link in links):
                yield int(process.name)


def clear(folder: Path) -> None:
    """End whatever works in the folder, and remove it."""
    limit = time.monotonic() + _PATIENCE_S
    while (found := list(holders(folder))) and time.monotonic() < limit:
        for number in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    # Nothing is ever written there: the end of it is the end of whoever started this.
    sys.stdin.buffer.read()
    clear(Path(sys.argv[1]))
