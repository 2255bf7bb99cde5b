"""How one response leaves: its head and the body behind it in one write.

uvicorn writes them one after the other (two system calls, and a caller that is woken twice), and
searches each header twice for what must not be in it; here all are looked through at once.
"""

import asyncio
from collections.abc import MutableMapping, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

__all__ = ["Sending"]

_BODILESS = frozenset((204, 304))


class Sending:
    """ASGI's `send` for one response, and the transport of uvicorn's state of it, the `cycle`.

    The head waits for what is sent next. It goes out alone when nothing followed by the loop's next
    turn, as in a stream whose first event is still to come.
    """

    __slots__ = (
        "_chunked",
        "_cycle",
        "_flush_soon",
        "_head",
        "_left",
        "_loop",
        "_transport",
        "_unsized",
    )

    def __init__(
        self,
        cycle: RequestResponseCycle,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._cycle: RequestResponseCycle | None = cycle
        self._transport = transport
        self._loop = loop
        self._head = b""
        self._flush_soon: asyncio.Handle | None = None
        self._chunked = False
        self._unsized = False
        self._left = 0

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send the head, or a part of the body, as ASGI has it.

        Raises:
            RuntimeError: this is no response in HTTP.
        """
        cycle = self._cycle
        if cycle is None:
            raise RuntimeError("The response is complete already.")
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected:
            return
        kind = message["type"]
        if cycle.response_started != (kind == "http.response.body"):
            raise RuntimeError(f"{kind!r} does not come here in a response.")
        if cycle.response_started:
            self._go_on(cycle, message.get("body", b""), message.get("more_body", False))
        else:
            headers = [*cycle.default_headers, *message["headers"]]
            self._begin(cycle, message["status"], headers)

    def _begin(
        self, cycle: RequestResponseCycle, status: int, headers: list[tuple[bytes, bytes]]
    ) -> None:
        self._read(cycle, headers)
        if self._left < 0:
            self._left = 0
            if cycle.scope["method"] != "HEAD" and status not in _BODILESS:
                # HTTP/1.0 has no chunks: there the end of the connection ends the body.
                self._unsized = cycle.scope["http_version"] == "1.0"
                self._chunked = not self._unsized
                cycle.keep_alive = cycle.keep_alive and self._chunked
            if self._chunked:
                headers.append((b"transfer-encoding", b"chunked"))
        if not cycle.keep_alive:
            headers.append((b"connection", b"close"))
        fields = b"\r\n".join(map(b": ".join, headers))
        if _lines(fields) != len(headers) - 1 or b"\0" in fields:
            raise RuntimeError("A header of the response holds a line break.")
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        self._head = b"%b%b\r\n\r\n" % (STATUS_LINE[status], fields)
        self._flush_soon = self._loop.call_soon(self._flush)

    def _read(self, cycle: RequestResponseCycle, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Note what the headers say of the body (-1: no length) and of the connection."""
        self._left = -1
        for name, value in headers:
            if name == b"content-length":
                self._left = 0 if cycle.scope["method"] == "HEAD" else int(value)
            elif name == b"connection" and value == b"close":
                cycle.keep_alive = False

    def _go_on(self, cycle: RequestResponseCycle, body: bytes, more: bool) -> None:
        if cycle.scope["method"] == "HEAD":
            body = b""
        elif self._chunked:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        elif not self._unsized:
            self._left -= len(body)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("The response is not as long as its content-length.")
        if self._head:
            body = self._taken() + body
        if body:
            self._transport.write(body)
        if not more:
            # Each of the two knows the other: nothing would free them but the collector.
            self._cycle = None
            cycle.response_complete = True
            cycle.message_event.set()
            if not cycle.keep_alive:
                self._transport.close()
            cycle.on_response()

    def write(self, data: bytes) -> None:
        """Write what is no part of the response: that its body may come."""
        self._transport.write(data)

    def close(self) -> None:
        """Close behind what was sent."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Say whether the connection is about to end."""
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._head:
            self._transport.write(self._taken())

    def _taken(self) -> bytes:
        head, self._head = self._head, b""
        if self._flush_soon is not None:
            self._flush_soon.cancel()
        return head


def _lines(fields: bytes) -> int:
    """Return the number of line breaks, -1 where a part of one stands alone."""
    count = fields.count(b"\r\n")
    return count if fields.count(b"\n") == fields.count(b"\r") == count else -1
