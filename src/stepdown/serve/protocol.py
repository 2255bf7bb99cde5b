"""uvicorn's HTTP protocol with the bounds that it lacks: on headers, bodies, and every wait.

What breaks a bound gets one answer in the dialect of its path, and the connection is closed. Timers
run only while something is missing, so a request that arrives in one piece costs none.
"""

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from stepdown.serve.dialects import CHAT, MESSAGES, Dialect
from stepdown.serve.headers import Headers, refusal_headers
from stepdown.serve.sending import Sending
from stepdown.serve.settings import Limits, Timeouts

__all__ = ["GuardedProtocol", "Hear", "guarded"]

_LINGER_S = 1.0
_LINGER_BYTES = 32 * 1024 * 1024

Scope = MutableMapping[str, Any]
Hear = Callable[[Scope | None, str, str, Headers, int, str], str]
"""hear(scope of the call that this ends, if one is under way; method, path, headers, status, code)
→ the id that the refusal has."""

Phase = Literal["start", "headers", "body", "complete"]
Refusal = tuple[int, str, str]

_NOT_HTTP: Refusal = (400, "bad_request", "This is not a valid HTTP request.")
_LARGE_HEADERS: Refusal = (
    431,
    "headers_too_large",
    "The request's headers are too large or too many; send fewer.",
)
_HOST: Refusal = (400, "bad_request", "A request needs exactly one Host header.")
_ENCODED: Refusal = (
    415,
    "unsupported_encoding",
    "Compressed requests are not read; send the body as plain JSON.",
)
_CRUMBS: Refusal = (
    413,
    "too_many_parts",
    "The request's body comes in too many parts; send larger chunks.",
)
_LATE: Refusal = (408, "request_timeout", "The request did not arrive in time; send it again.")
_CROWDED: Refusal = (
    503,
    "too_many_connections",
    "The gateway has too many connections open; try again in a moment.",
)


class _RefusedError(Exception):
    """Leaves a parser callback; httptools turns it into its own parser error."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. `guarded` binds the limits."""

    limits = Limits()
    timeouts = Timeouts()
    hear: Hear = staticmethod(lambda *_: "")
    """Told of every refusal."""

    _phase: Phase = "start"
    _unparsed = 0
    _body_bytes = 0
    _body_parts = 0
    _body_since = 0.0
    _refusal: Refusal | None = None
    _lingering = False
    _discarded = 0
    _timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride] - as in uvicorn
        """Begin; a connection that says nothing is closed after the header deadline."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._refuse(_CROWDED)
        else:
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of the timers."""
        self._disarm()
        self._disarm_write()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and watch for what never ends."""
        if self._lingering:
            self._discarded += len(data)
            if self._discarded > _LINGER_BYTES:
                self.transport.abort()
            return
        # Bytes since the parser last gave something out: what it hoards must not grow either.
        self._unparsed += len(data)
        self._feed(data)
        if self._lingering or self.transport.is_closing():
            return
        if self._phase == "complete":
            self._unparsed = 0
            self._rest()
        elif self._unparsed > self.limits.header_bytes:
            self._refuse(_LARGE_HEADERS)
        else:
            self._arm()

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as stopped:
            self._go_on(data[stopped.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal or _NOT_HTTP)

    def _go_on(self, rest: bytes) -> None:
        """Read a request that offers another protocol as if it did not.

        The parser stops after its head, and would take the body for the next request: smuggling.
        """
        kept = [b"%b: %b\r\n" % one for one in self.headers if one[0] != b"upgrade"]
        version = self.parser.get_http_version().encode()
        line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        self._feed(b"%b%b\r\n%b" % (line, b"".join(kept), rest))

    def on_message_begin(self) -> None:
        """Count anew for each request."""
        self._phase = "headers"
        self._body_bytes = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header (or a trailer), unless there are too many."""
        self.headers.append((name.lower(), value))
        if len(self.headers) > self.limits.header_count:
            self._stop(_LARGE_HEADERS)

    def on_headers_complete(self) -> None:
        """Refuse by the headers alone what would be refused anyway."""
        self._disarm()
        self._unparsed = 0
        refusal = self._header_problem()
        if refusal is not None:
            self._stop(refusal)
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._stop(_NOT_HTTP)
            return  # `_go_on` reads it again
        self._phase = "body"
        self._body_since = self.loop.time()
        super().on_headers_complete()
        cycle: Any = self.cycle
        if cycle is not None:
            sending = Sending(cycle, self.transport, self.loop)
            cycle.send, cycle.transport = sending.send, sending

    def on_body(self, body: bytes) -> None:
        """Count the body: with chunks there is no length to go by."""
        self._unparsed = 0
        self._body_bytes += len(body)
        self._body_parts += 1
        if self._body_bytes > self.limits.body_bytes:
            self._stop(self._large_body())
        if self._body_parts > self.limits.body_parts:
            self._stop(_CRUMBS)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All is here: no deadline runs any more."""
        if self._phase == "headers":
            return  # the head of an upgrade
        self._phase = "complete"
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Give a caller who does not read a while, and no longer."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.timeouts.write, self.transport.abort)

    def resume_writing(self) -> None:
        """The caller reads again."""
        self._disarm_write()
        super().resume_writing()

    def _header_problem(self) -> Refusal | None:
        hosts = 0
        version = self.parser.get_http_version()
        size = len(self.url)
        for name, value in self.headers:
            size += len(name) + len(value) + 4
            check = _CHECKS.get(name)
            if check == "host":
                hosts += 1
            elif check == "length" and int(value) > self.limits.body_bytes:
                return self._large_body()
            elif check == "encoding" and value.strip().lower() not in (b"", b"identity"):
                return _ENCODED
            elif check == "coding" and (value.strip().lower() != b"chunked" or version != "1.1"):
                return _NOT_HTTP
            elif check == "expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
        if size > self.limits.header_bytes:
            return _LARGE_HEADERS
        if version not in _VERSIONS:
            return _NOT_HTTP
        return _HOST if hosts != 1 and (version == "1.1" or hosts) else None

    def _large_body(self) -> Refusal:
        limit = self.limits.body_bytes
        message = (
            f"The request's body is larger than {limit:,} bytes; "
            "send less, or raise `max_body_bytes` in [serve] of the gateway's stepdown.toml."
        )
        return 413, "body_too_large", message

    def _stop(self, refusal: Refusal) -> None:
        self._refusal = refusal
        raise _RefusedError

    def _rest(self) -> None:
        self._disarm()
        cycle: Any = self.cycle
        if cycle is not None and cycle.response_complete and self.timeout_keep_alive_task is None:
            # Stray bytes between requests have cancelled the keep-alive timer.
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _arm(self) -> None:
        if self._phase == "body":
            self._disarm()
            left = self._body_since + self.timeouts.body - self.loop.time()
            self._timer = self.loop.call_later(
                min(self.timeouts.body_idle, max(0.0, left)), self._late
            )
        elif self._timer is None:
            # Not renewed by what trickles in: headers have one deadline.
            self._timer = self.loop.call_later(self.timeouts.header, self._late)

    def _late(self) -> None:
        self._timer = None
        if self._phase == "start" and self._unparsed == 0:
            self.transport.close()
        else:
            self._refuse(_LATE)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _disarm_write(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _refuse(self, refusal: Refusal) -> None:
        """Answer, and close once the caller had a chance to read it.

        Closing with bytes unread would reset the connection, and the answer could be lost with it.
        """
        self._disarm()
        cycle: Any = self.cycle
        begun, scope = False, None
        if cycle is not None and not cycle.response_complete:
            begun, scope = cycle.response_started, cycle.scope
            cycle.disconnected = True
            cycle.message_event.set()
        self._lingering = True
        if begun or self.transport.is_closing():
            self.transport.close()
            return
        target: bytes = self.url if self._phase != "start" else b""
        method = self.parser.get_method().decode() if target else ""
        path = target.partition(b"?")[0].decode("latin-1")
        status, code, _ = refusal
        request_id = self.hear(scope, method, path, self.headers if target else [], status, code)
        messages = path.removeprefix("/v1").removeprefix("/v1").startswith("/messages")
        self.transport.write(_response(refusal, MESSAGES if messages else CHAT, request_id))
        self.transport.resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(_LINGER_S, self.transport.close)


_AGAIN: Mapping[int, bytes] = {408: b"", 503: b"retry-after: 1\r\n"}
_NEVER = b"x-should-retry: false\r\n"
"""What a refusal says of another try: one that came late may well come in time."""
_VERSIONS = frozenset(("1.1", "1.0"))
_CHECKS: Mapping[bytes, Literal["host", "length", "encoding", "coding", "expect"]] = {
    b"host": "host",
    b"content-length": "length",
    b"content-encoding": "encoding",
    b"transfer-encoding": "coding",
    b"expect": "expect",
}


def guarded(limits: Limits, timeouts: Timeouts, hear: Hear | None = None) -> type[GuardedProtocol]:
    """Return the protocol with these limits; uvicorn makes one for each connection."""
    bound: dict[str, Any] = {"limits": limits, "timeouts": timeouts}
    if hear is not None:
        bound["hear"] = staticmethod(hear)
    return type("GuardedProtocol", (GuardedProtocol,), bound)


def _response(refusal: Refusal, dialect: Dialect, request_id: str) -> bytes:
    status, code, message = refusal
    body = dialect.error(status, message, code, None, request_id)
    names = (b"x-stepdown-request-id", *dialect.id_headers) if request_id else ()
    told = [*((name, request_id.encode()) for name in names), *refusal_headers(code)]
    head = (
        b"content-type: application/json\r\ncontent-length: %d\r\n%b"
        b"%bconnection: close\r\n\r\n"
        % (len(body), b"".join(b"%b: %b\r\n" % one for one in told), _AGAIN.get(status, _NEVER))
    )
    return STATUS_LINE[status] + head + body
