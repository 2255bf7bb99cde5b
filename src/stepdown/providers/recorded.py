"""A recorded provider: it replays the answers of a log, for demonstrations and tests.

A request is known again by its messages, tools and output format; what it does not know is a 404 in
OpenAI's shape, never an invented answer.
"""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Generator, Iterable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from stepdown.core.calls import Answer, Call, Request, Usage
from stepdown.core.fingerprint import fingerprint
from stepdown.core.ports import Complete
from stepdown.errors import InputError, UpstreamError, UsageError
from stepdown.wire.openai import parse_answer, parse_request
from stepdown.wire.openai_answers import (
    DONE,
    Stamp,
    completion_body,
    completion_frames,
    error_body,
    estimated_usage,
)

__all__ = ["PROVIDER", "Recorded", "Recording", "recording_of", "request_key", "serve_recorded"]

_LARGEST_BODY = 64 * 1024 * 1024


class _Line(msgspec.Struct):
    request: msgspec.Raw
    response: msgspec.Raw


class Recording(msgspec.Struct, frozen=True):
    """Answers by request key; of several logged for one request the last counts."""

    answers: dict[str, tuple[Answer, Usage | None]]

    def respond(self, body: bytes) -> tuple[Request, Answer, Usage] | None:
        """Return the logged answer to a request body, or None when the log has none.

        Raises:
            InputError: the body is not a chat-completions request.
        """
        request = parse_request(body)
        found = self.answers.get(request_key(request))
        if found is None:
            return None
        answer, usage = found
        return request, answer, usage or estimated_usage(request, answer)


def request_key(request: Request) -> str:
    """Return what a request is known by: its messages, tools and output format."""
    return fingerprint([request.messages, request.tools.hash, request.output_format.hash], 32)


def recording_of(calls: Iterable[Call]) -> Recording:
    """Record the answers of some calls."""
    return Recording({request_key(call.request): (call.answer, call.usage) for call in calls})


@contextmanager
def serve_recorded(
    calls: Iterable[Call], *, port: int = 0, latency_s: float = 0.0
) -> Generator[str]:
    """Serve the calls' answers on loopback, stream and not, from a thread; gives the API root.

    Every answer takes `latency_s` seconds.

    Raises:
        UsageError: the port is in use.
    """
    recording = recording_of(calls)
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(_application(recording, latency_s), access_log=None)
    try:
        loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", port)
        loop.run_until_complete(site.start())
    except OSError as problem:
        loop.run_until_complete(runner.cleanup())
        loop.close()
        raise UsageError(
            f"Port {port} is in use ({problem.strerror}); choose another."
        ) from problem
    thread = threading.Thread(target=loop.run_forever, name="recorded", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Recorded:
    """The provider; its source is a native log file (JSONL, not compressed)."""

    name = "recorded"

    @asynccontextmanager
    async def connect(self, source: str, api_key: str | None = None) -> AsyncGenerator[Complete]:
        """Give a function that completes requests from the log.

        Raises:
            InputError: the file can't be read, or a line of it is no call.
        """
        recording = _read(Path(source))

        async def complete(body: bytes) -> bytes:
            found = recording.respond(body)
            if found is None:
                raise UpstreamError("The recording holds no answer to this request.")
            request, answer, usage = found
            return completion_body(answer, _stamp(request), usage)

        yield complete


def _read(path: Path) -> Recording:
    answers: dict[str, tuple[Answer, Usage | None]] = {}
    try:
        with path.open("rb") as lines:
            for data in lines:
                line = msgspec.json.decode(data, type=_Line)
                answer, usage, _ = parse_answer(line.response)
                answers[request_key(parse_request(bytes(line.request)))] = answer, usage
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise InputError(f"{path} can't be replayed ({problem}); give a native log.") from problem
    return Recording(answers)


def _application(recording: Recording, latency_s: float) -> web.Application:
    async def completions(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        await asyncio.sleep(latency_s)
        try:
            found = recording.respond(body)
        except InputError as wrong:
            return _json(error_body(str(wrong), "invalid_request"), 400)
        if found is None:
            message = "The recording holds no answer to this request."
            return _json(error_body(message, "not_recorded"), 404)
        asked, answer, usage = found
        if not asked.stream:
            return _json(completion_body(answer, _stamp(asked), usage), 200)
        options = asked.params.get("stream_options")
        counted = isinstance(options, dict) and options.get("include_usage") is True
        frames = completion_frames(answer, _stamp(asked), usage if counted else None)
        return web.Response(body=frames + DONE, headers={"content-type": "text/event-stream"})

    async def models(request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": []})

    application = web.Application(client_max_size=_LARGEST_BODY)
    application.router.add_post("/v1/chat/completions", completions)
    application.router.add_get("/v1/models", models)
    return application


def _stamp(request: Request) -> Stamp:
    return Stamp(f"chatcmpl-rec{request_key(request)[:12]}", int(time.time()), request.model)


def _json(body: bytes, status: int) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json")


PROVIDER = Recorded()
