"""Several processes behind one port: a parent that starts, watches, restarts and ends its workers.

Each worker listens on the port itself (SO_REUSEPORT) and shares nothing with the others; the parent
holds the port's number and reads no request. A worker has a lifeline to its parent: it tells there
that it is ready, and when the parent's end closes, because it wants an end or is dead, it drains.
"""

import logging
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = ["READY", "Begin", "Supervisor"]

_PAUSE_S = (0.1, 30.0)
_STEADY_S = 30.0
_LOOK_S = 0.2
READY = b"r"
"""What a worker says on its lifeline when it is."""

log = logging.getLogger("stepdown.serve")

Begin = Callable[[int, socket.socket], subprocess.Popen[bytes]]
"""begin(number, lifeline) starts the worker of that number, which inherits the socket."""


class _Slot:
    """A worker's place: its process, if it runs, and when the next is due, if it doesn't."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: subprocess.Popen[bytes] | None = None
        self.lifeline: socket.socket | None = None
        self.ready = False
        self.begun = 0.0
        self.due = 0.0
        self.failures = 0

    def let_go(self) -> None:
        if self.lifeline is not None:
            self.lifeline.close()
            self.lifeline = None


class Supervisor:
    """Keeps `count` workers running until a signal ends them.

    The first is started alone, so that what keeps it from starting is told once; `on_ready` is
    called when all are ready.
    """

    def __init__(self, count: int, begin: Begin, on_ready: Callable[[], None]) -> None:
        self._slots = [_Slot(number) for number in range(1, count + 1)]
        self._begin = begin
        self._on_ready = on_ready
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._all_ready = False
        self._ending = False
        self._status = 0

    def run(self) -> int:
        """Return the exit status: 0 after a signal, a worker's own where the start failed."""
        with self._catching():
            self._start(self._slots[0])
            while not (self._ending and not any(slot.process for slot in self._slots)):
                self._wait()
                self._obey()
                for slot in self._slots:
                    self._look_after(slot)
        return self._status

    @contextmanager
    def _catching(self) -> Generator[None]:
        """Signals wake the loop; nothing else is done in their handlers."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        old = {number: signal.signal(number, self._note) for number in numbers}
        before = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._selector.register(woken, selectors.EVENT_READ)
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            for number, handler in old.items():
                signal.signal(number, handler)
            self._selector.close()
            wake.close()
            woken.close()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)

    def _wait(self) -> None:
        for key, _ in self._selector.select(_LOOK_S):
            slot = key.data
            if slot is None:
                os.read(key.fd, 4096)
                continue
            told = _received(slot.lifeline)
            if told == READY:
                slot.ready = True
                self._note_ready()
            else:
                self._selector.unregister(key.fileobj)

    def _note_ready(self) -> None:
        if not self._all_ready and all(slot.ready for slot in self._slots):
            self._all_ready = True
            self._on_ready()

    def _obey(self) -> None:
        signals, self._signals = self._signals, []
        for number in signals:
            if number == signal.SIGHUP:
                self._send(signal.SIGHUP)
            elif number in (signal.SIGTERM, signal.SIGINT):
                if self._ending:
                    self._send(signal.SIGTERM)
                self._end()

    def _end(self) -> None:
        """Let every worker drain: by its lifeline, since a signal may have reached it as well, and
        a second one would end it at once."""
        self._ending = True
        for slot in self._slots:
            self._close(slot)

    def _send(self, number: signal.Signals) -> None:
        for slot in self._slots:
            if slot.process is not None and slot.process.poll() is None:
                slot.process.send_signal(number)

    def _look_after(self, slot: _Slot) -> None:
        """Start the worker if it is time to, or see that it has ended."""
        if slot.process is None:
            turn = slot.number == 1 or self._slots[0].ready or self._all_ready
            if not self._ending and turn and time.monotonic() >= slot.due:
                self._start(slot)
            return
        status = slot.process.poll()
        if status is None:
            return
        slot.process, slot.ready = None, False
        self._close(slot)
        if self._ending:
            self._status = self._status or (1 if status else 0)
            return
        if not self._all_ready:
            self._status = status if status > 0 else 1
            self._end()
            return
        steady = time.monotonic() - slot.begun > _STEADY_S
        slot.failures = 0 if steady else slot.failures + 1
        pause = min(_PAUSE_S[1], _PAUSE_S[0] * 2 ** min(slot.failures, 10))
        slot.due = time.monotonic() + pause
        log.warning(
            "Worker %d ended (status %d); it starts again in %.1f s.", slot.number, status, pause
        )

    def _start(self, slot: _Slot) -> None:
        slot.lifeline, theirs = socket.socketpair()
        slot.lifeline.setblocking(False)
        slot.begun = time.monotonic()
        with theirs:
            slot.process = self._begin(slot.number, theirs)
        self._selector.register(slot.lifeline, selectors.EVENT_READ, slot)

    def _close(self, slot: _Slot) -> None:
        if slot.lifeline is not None:
            with suppress(KeyError):  # its other end was closed first
                self._selector.unregister(slot.lifeline)
            slot.let_go()


def _received(lifeline: socket.socket | None) -> bytes:
    try:
        return lifeline.recv(1) if lifeline is not None else b""
    except OSError:
        return b""
