"""A response's head and the body behind it in one write.

uvicorn writes them one after the other: two system calls, and a caller that is woken twice.
"""

import asyncio

__all__ = ["JoinedWrites"]

_CONTINUE = b"HTTP/1.1 100 "


class JoinedWrites:
    """What one response writes to: it holds the head back until more is written.

    The head goes out alone when nothing followed by the loop's next turn, as in a stream whose
    first event is still to come.
    """

    __slots__ = ("_flush_soon", "_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = b""
        self._flush_soon: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Write, or hold back what is the head; None in `_head` says that it has gone."""
        if self._head is None or (not self._head and data.startswith(_CONTINUE)):
            self._transport.write(data)
        elif self._head:
            self._transport.write(self._taken() + data)
        else:
            self._head = data
            self._flush_soon = self._loop.call_soon(self._flush)

    def close(self) -> None:
        """Close behind what was written."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Say whether the connection is about to end."""
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._head:
            self._transport.write(self._taken())

    def _taken(self) -> bytes:
        head, self._head = self._head, None
        if self._flush_soon is not None:
            self._flush_soon.cancel()
        return head or b""
