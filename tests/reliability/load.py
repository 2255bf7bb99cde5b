"""Load at a rate of its own, and upstreams that fail below HTTP: for the plan's tests."""

import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

__all__ = ["Backlogged", "Replayer", "Resetting", "at_rate", "percentile"]


def at_rate(ask, rate, seconds, workers=64):
    """Call ask(number) at a rate that does not wait for answers; returns (began, took, result)."""
    began = time.monotonic()

    def one(number):
        due = began + number / rate
        time.sleep(max(0.0, due - time.monotonic()))
        sent = time.monotonic()
        result = ask(number)
        return sent - began, time.monotonic() - sent, result

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, range(int(rate * seconds))))


def percentile(values, share):
    """Return the value that so large a share of `values` does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Listening:
    """A TCP server of threads; `serve` gets each connection."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                self.serve(connection)

    def serve(self, connection):
        raise NotImplementedError

    def close(self):
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def _reset(connection):
    """Let the connection's end be a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Resetting(_Listening):
    """Takes each request, and answers it with a RST."""

    def serve(self, connection):
        connection.recv(65536)
        _reset(connection)


class Replayer(_Listening):
    """Answers each request with `answer`, then ends the connection: by FIN, or by RST.

    What stands from `pauses_at` on comes a moment later.
    """

    def __init__(self):
        self.answer = b""
        self.pauses_at = 0
        self.resets = False
        super().__init__()

    def serve(self, connection):
        connection.settimeout(10)
        connection.recv(65536)
        connection.sendall(self.answer[: self.pauses_at])
        if self.pauses_at:
            time.sleep(0.01)
        connection.sendall(self.answer[self.pauses_at :])
        if self.resets:
            # What was sent has to arrive before the reset throws it away.
            time.sleep(0.002)
            _reset(connection)


class Backlogged:
    """An address whose queue is full: the kernel drops each further SYN, and nobody answers."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.held = []
        for _ in range(8):
            one = socket.socket()
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(self.listener.getsockname())
            self.held.append(one)
        time.sleep(0.1)

    def close(self):
        for one in (*self.held, self.listener):
            one.close()
