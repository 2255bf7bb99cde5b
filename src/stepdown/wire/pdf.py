"""The text of PDF files, read by a process of its own that is stopped when it takes too long."""

import atexit
import hashlib
import os
import subprocess
import sys
import threading
from collections import OrderedDict
from importlib.util import find_spec

__all__ = ["DEADLINE_S", "MOST_BYTES", "PdfReader", "pdf_text"]

MOST_BYTES = 32 << 20
DEADLINE_S = 5.0
_REMEMBERED = 64
_REMEMBERED_CHARS = 1_000_000
_COMMAND = (sys.executable, "-m", "stepdown.wire.pdf_worker")

Read = tuple[str, str]
"""(text, ""), or ("", why there is none)."""


class PdfReader:
    """Keeps one worker process, started when first needed and again after it was stopped.

    Threads take turns; one that would wait for longer than the deadline is told so.
    """

    def __init__(self, command: tuple[str, ...] = _COMMAND, deadline_s: float = DEADLINE_S) -> None:
        self._command = command
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._known: OrderedDict[bytes, Read] = OrderedDict()

    def read(self, data: bytes) -> Read:
        """Return the text of a file, or why there is none; a file seen lately costs a hash."""
        key = hashlib.sha256(data).digest()
        if not self._lock.acquire(timeout=self._deadline_s):
            return "", "too many files are waiting to be read"
        try:
            found = self._known.get(key) or self._asked(data)
            if 0 < len(found[0]) <= _REMEMBERED_CHARS:
                self._known[key] = found
                self._known.move_to_end(key)
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
            return found
        finally:
            self._lock.release()

    def close(self) -> None:
        """Stop the worker; the next file starts another."""
        worker, self._worker = self._worker, None
        if worker is None or self._owner != os.getpid():
            return
        worker.kill()
        worker.wait()
        for pipe in (worker.stdin, worker.stdout):
            if pipe is not None:
                pipe.close()

    def _started(self) -> subprocess.Popen[bytes]:
        # A forked process must not talk to its parent's worker.
        if self._worker is None or self._owner != os.getpid():
            self._worker = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            self._owner = os.getpid()
        return self._worker

    def _asked(self, data: bytes) -> Read:
        worker = self._started()
        stopped = threading.Event()

        def stop() -> None:
            stopped.set()
            worker.kill()

        watch = threading.Timer(self._deadline_s, stop)
        watch.start()
        try:
            return _exchange(worker, data)
        except (OSError, EOFError):
            self.close()
            late = f"reading it took more than {self._deadline_s:g} s"
            return "", late if stopped.is_set() else "reading it ended the process that reads"
        finally:
            watch.cancel()


def _exchange(worker: "subprocess.Popen[bytes]", data: bytes) -> Read:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(len(data).to_bytes(8) + data)
    worker.stdin.flush()
    head = worker.stdout.read(9)
    size = int.from_bytes(head[1:])
    said = worker.stdout.read(size)
    if len(head) < 9 or len(said) < size:
        raise EOFError
    text = said.decode()
    return ("", text) if head[0] else (text, "")


_READER = PdfReader()
atexit.register(_READER.close)


def pdf_text(data: bytes) -> Read:
    """Return (text, "") of a PDF file, or ("", why it can't be read); takes at most ten seconds.

    At most 32 MiB, 500 pages and four million characters are read.
    """
    if find_spec("pypdf") is None:
        return "", "reading PDF files needs `pip install 'stepdown[documents]'`"
    if len(data) > MOST_BYTES:
        return "", f"it has more than {MOST_BYTES >> 20} MiB"
    return _READER.read(data)
