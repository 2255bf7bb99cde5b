"""One kept-alive connection that posts one body again and again, and reads little of what comes."""

import contextlib
import socket
import time
from typing import Self
from urllib.parse import urlsplit

from stepdown.errors import Refusal

__all__ = ["Client", "request_bytes"]

_END = b"\r\n\r\n"
_LAST_CHUNK = b"0\r\n\r\n"


class Client:
    """A connection to one server.

    The request is one write of bytes made beforehand, and of the answer only its end is looked for:
    a client library's own parsing would be counted as the server's time.
    """

    def __init__(self, url: str, body: bytes, timeout: float = 60.0) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = request_bytes(body)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, in the middle of an answer too."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def send(self) -> None:
        """Write the request and leave it at that."""
        self._socket.sendall(self.request)

    def post(self) -> tuple[float, bytes]:
        """Return the milliseconds that one exchange took, and the answer's head in lower case."""
        began = time.perf_counter_ns()
        self._socket.sendall(self.request)
        received = b""
        while _END not in received:
            received += self._receive()
        raw, _, rest = received.partition(_END)
        head = raw.lower()
        _, found, length = head.partition(b"content-length: ")
        if found:
            missing = int(length.split(b"\r\n")[0]) - len(rest)
            while missing > 0:
                missing -= len(self._receive())
        else:
            self._to_last_chunk(rest)
        return (time.perf_counter_ns() - began) / 1e6, head

    def stream(self) -> tuple[float, float]:
        """Return the milliseconds to a stream's first event, and to its end."""
        began = time.perf_counter_ns()
        self._socket.sendall(self.request)
        received = b""
        while b"data:" not in received:
            received += self._receive()
        first = time.perf_counter_ns()
        self._to_last_chunk(received)
        return (first - began) / 1e6, (time.perf_counter_ns() - began) / 1e6

    def _to_last_chunk(self, received: bytes) -> None:
        tail = received[-len(_LAST_CHUNK) :]
        while tail != _LAST_CHUNK:
            tail = (tail + self._receive())[-len(_LAST_CHUNK) :]

    def _receive(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise Refusal("A server of the benchmark closed its connection.")
        return data


def request_bytes(body: bytes, path: str = "/v1/chat/completions") -> bytes:
    """Return a whole POST of the JSON body."""
    return (
        b"POST %b HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer of-a-caller\r\ncontent-length: %d\r\n\r\n"
        % (path.encode(), len(body))
    ) + body
