"""The model's stand-in, in a process of its own: one fixed answer, a stream, or a black hole.

`python -m stepdown.cli.bench.gateway.upstream` prints its port and answers until it is ended. A
request for a stream gets 50 events, each in a chunk and a write of its own with a turn of the event
loop between two; any other gets one chat.completion. `POST /hole/on` makes it take requests and
answer none; `POST /hole/off` answers those that wait.
"""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from typing import Any

import uvloop

from stepdown.errors import Refusal

__all__ = ["COMPLETION", "EVENTS", "frames", "model_behind"]

EVENTS = 50
_HEAD = {"id": "chatcmpl-9f1c0e6b2d", "created": 1_790_000_000, "model": "gpt-5.2-2026-08"}
_TEXT = (
    "I am sorry that the transfer has not arrived yet. Transfers to another bank mostly take one "
    "working day, and up to three where a weekend or a holiday lies between. Please look at the "
    "receipt in the app first; if its status still is pending tomorrow, tell us the reference."
)
COMPLETION = json.dumps(
    {
        **_HEAD,
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": _TEXT, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 412, "completion_tokens": 61, "total_tokens": 473},
        "service_tier": "default",
    }
).encode()
"""The whole answer, of some 650 bytes."""

_WHOLE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\n"
    b"content-length: %d\r\n\r\n" % len(COMPLETION)
) + COMPLETION
_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_1\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def frames() -> list[bytes]:
    """Return the stream's events and its `[DONE]`."""
    words = [f"{word} " for word in (_TEXT.split() * 2)[: EVENTS - 2]]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in words] + [{}]
    made: list[bytes] = []
    for delta in deltas:
        end = None if delta else "stop"
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": end}
        event = {**_HEAD, "object": "chat.completion.chunk", "choices": [choice]}
        made.append(b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n")
    return [*made, b"data: [DONE]\n\n"]


_CHUNKS = [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames()] + [b"0\r\n\r\n"]


class _Connection(asyncio.Protocol):
    hole = False
    waiting: list["_Connection"] = []  # noqa: RUF012 - one list for all connections of the process

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._loop = asyncio.get_running_loop()
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        if not found or len(body) < int(length or 0):
            return
        self._received = b""
        if head.startswith(b"POST /hole/"):
            self._switch(head.startswith(b"POST /hole/on"))
        elif _Connection.hole:
            _Connection.waiting.append(self)
        elif b'"stream": true' in body or b'"stream":true' in body:
            self._transport.write(_STREAM_HEAD)
            self._loop.call_soon(self._next, 0)
        else:
            self._transport.write(_WHOLE)

    def _switch(self, on: bool) -> None:
        _Connection.hole = on
        if not on:
            for connection in _Connection.waiting:
                # Its caller may have had enough meanwhile.
                if not connection._transport.is_closing():
                    connection._transport.write(_WHOLE)
            _Connection.waiting.clear()
        self._transport.write(_WHOLE)

    def _next(self, at: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(_CHUNKS[at])
        if at + 1 < len(_CHUNKS):
            self._loop.call_soon(self._next, at + 1)


async def _answer() -> None:
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    server = await loop.create_server(_Connection, sock=listener)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    server.close()


@contextlib.contextmanager
def model_behind() -> Generator[str]:
    """Run the stand-in and give its address.

    Raises:
        Refusal: it did not start.
    """
    command = [sys.executable, "-m", "stepdown.cli.bench.gateway.upstream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # asked for as a pipe
            port = process.stdout.readline().strip()
            if not port:
                raise Refusal("The benchmark's upstream did not start.")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_answer())
