"""Reading a request's body and sending whole replies, over bare ASGI."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from stepdown.serve.dialects import Dialect
from stepdown.serve.headers import Headers
from stepdown.wire.openai_answers import error_body

__all__ = [
    "CAPTURE_FAILS",
    "NO_RETRY",
    "UNCAPTURED",
    "Problem",
    "Receive",
    "Reply",
    "Scope",
    "Send",
    "in_dialect",
    "json_reply",
    "problem",
    "read_body",
    "send_reply",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = (b"content-type", b"application/json")
NO_RETRY = (b"x-should-retry", b"false")
CAPTURE_FAILS = "capture_unavailable"


class Problem(msgspec.Struct, frozen=True):
    """An error of our own, in no dialect."""

    message: str
    code: str
    param: str | None = None


class Reply(msgspec.Struct, frozen=True):
    """A whole answer; content-length is added when it is sent.

    One that is an error of our own says so in `problem`; its body is in OpenAI's shape.
    """

    status: int
    body: bytes
    headers: Headers
    problem: Problem | None = None


def json_reply(value: Any, status: int = 200) -> Reply:
    """Return `value` as JSON."""
    return Reply(status, msgspec.json.encode(value), [JSON])


def problem(
    status: int,
    message: str,
    code: str,
    *,
    param: str | None = None,
    retry_after_s: int | None = None,
    tried: bool = False,
) -> Reply:
    """Return an error in OpenAI's shape.

    `tried` tells clients that another try would find the same: the gateway made it already.
    """
    headers: Headers = [JSON]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    if tried:
        headers.append(NO_RETRY)
    body = error_body(message, code, param)
    return Reply(status, body, headers, Problem(message, code, param))


def in_dialect(reply: Reply, dialect: Dialect, request_id: str) -> Reply:
    """Return the reply as the dialect's clients read it: errors of our own in its shape."""
    found = reply.problem
    if found is None:
        return reply
    body = dialect.error(reply.status, found.message, found.code, found.param, request_id)
    return msgspec.structs.replace(reply, body=body)


async def read_body(receive: Receive) -> bytes | None:
    """Return the whole body, or None when the caller left; its size is the protocol's concern."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return message.get("body", b"")
    parts: list[bytes] = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    return None


async def send_reply(send: Send, reply: Reply, extra: Headers) -> None:
    """Send a whole reply; a header of `extra` stands after the reply's own."""
    length = (b"content-length", b"%d" % len(reply.body))
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [length, *reply.headers, *extra],
        }
    )
    await send({"type": "http.response.body", "body": reply.body})


UNCAPTURED = problem(
    503,
    "The gateway can't record calls just now, and is set to answer none that it does not record "
    '(`[store] when_full = "refuse"`); try again shortly.',
    CAPTURE_FAILS,
    retry_after_s=2,
)
