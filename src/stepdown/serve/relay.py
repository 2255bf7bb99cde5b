"""Relaying: the caller's bytes upstream, the upstream's bytes back, and a line for the outbox.

Until the first byte has gone to the caller a failure is an HTTP error; after it, a stream ends with
an error in the stream and no `[DONE]`. A caller who leaves takes the upstream's call along.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import msgspec

from stepdown.core.ports import Exchange
from stepdown.core.savings import Spent
from stepdown.errors import InputError
from stepdown.serve.capture import Turn, exchange_of, quoted
from stepdown.serve.chain import Link, renamed, usable
from stepdown.serve.counting import asking_usage, tells_usage, wants_usage
from stepdown.serve.dialects import CHAT
from stepdown.serve.ending import given_up, last_event
from stepdown.serve.gateway import Gateway
from stepdown.serve.headers import back, streaming
from stepdown.serve.ours import headers_of, refuse, send_own
from stepdown.serve.presence import while_there
from stepdown.serve.replies import (
    CAPTURE_FAILS,
    NO_RETRY,
    UNCAPTURED,
    Receive,
    Reply,
    Send,
    problem,
    send_reply,
)
from stepdown.serve.sse import LineTooLong, SsePassage
from stepdown.serve.till import Unaffordable
from stepdown.serve.upstream import TOO_LONG, Body, Unanswered, read_on, whole_body
from stepdown.wire.told import told

__all__ = [
    "may_answer",
    "no_way",
    "relay",
    "relay_quietly",
    "reply_to",
]

_SUCCESS = range(200, 300)
_NO_KEY = problem(
    503,
    "A virtual key never goes upstream, and this gateway has no key of its own there; name its "
    "variable as [tiers.frontier] api_key_env in the gateway's stepdown.toml.",
    "no_upstream_key",
    tried=True,
)


class _Named(msgspec.Struct):
    model: str | None = None


class _Model(_Named):
    """The model's name in an answer, or in the first event of a stream of any dialect."""

    message: _Named | None = None
    response: _Named | None = None


class _First(msgspec.Struct):
    """What tells an error in the first event of a stream of any dialect."""

    error: Any = None
    type: str | None = None


_model = msgspec.json.Decoder(_Model)
_first = msgspec.json.Decoder(_First)


async def relay(gateway: Gateway, turn: Turn, body: bytes, receive: Receive, send: Send) -> None:
    """Relay a chat completion and capture it; `body` is what goes upstream."""
    refusal = no_way(gateway, turn)
    if refusal is not None:
        await send_own(turn, send, refusal)
        return
    await while_there(_relay(gateway, turn, body, send), receive)


async def relay_quietly(gateway: Gateway, turn: Turn, body: bytes) -> None:
    """Ask the upstream for the outbox alone: nobody waits for the answer."""
    await _relay(gateway, turn, body, _nowhere)


def no_way(gateway: Gateway, turn: Turn) -> Reply | None:
    """Return why nothing can go upstream for this caller, if that is so."""
    chain = gateway.chain_of(turn)
    if not chain:
        return _no_upstream()
    if turn.caller.key is not None and chain[0].api_key is None:
        return _NO_KEY
    return None


def _no_upstream() -> Reply:
    return problem(
        503,
        "No student answers this request and no upstream is configured; start the gateway with "
        "`stepdown serve --upstream URL`, or set [tiers.frontier] base_url in stepdown.toml.",
        "no_upstream",
        tried=True,
    )


async def _relay(gateway: Gateway, turn: Turn, body: bytes, send: Send) -> None:
    try:
        await _along(gateway, turn, body, send)
    except Unaffordable as failure:
        # Not captured: what a spent key still sends must not fill the disk.
        await refuse(turn, send, reply_to(failure))
    except Unanswered as failure:
        turn.status, turn.problem = failure.status, failure.code
        error = {"status": failure.status, "message": str(failure)}
        await gateway.capture.keep(exchange_of(turn, _since(turn), None, error))
        await send_own(turn, send, reply_to(failure))
    except asyncio.CancelledError:
        if not turn.status:
            error = given_up(gateway, turn, "the answer")
            gateway.capture.keep_later(exchange_of(turn, _since(turn), None, error))
        raise


async def _along(gateway: Gateway, turn: Turn, body: bytes, send: Send) -> None:
    """Ask along the chain until an answer has begun, or there is nobody left to ask.

    Raises:
        Unanswered: the last of them gave no answer, or time is up.
    """
    chain, named = gateway.chain_of(turn), turn.model
    until = turn.begun + gateway.settings.timeouts.deadline
    for left in range(len(chain), 0, -1):
        link = chain[-left]
        turn.model, turn.upstream = link.model or named, link.upstream.address
        if turn.decision is not None and turn.decision.tier != link.tier:
            turn.decision = msgspec.structs.replace(turn.decision, tier=link.tier)
        # An even part of what is left: one that hangs leaves the others time to answer.
        now = time.monotonic()
        attempt = Attempt(link, body, now + (until - now) / left, left == 1)
        try:
            if await _asked(gateway, turn, attempt, send):
                return
        except Unaffordable:
            # That is about the caller's key, and no upstream of ours.
            raise
        except Unanswered as failure:
            if turn.status or left == 1:
                raise
            if failure.sent:
                turn.beside = (*turn.beside, Spent(link.tier, turn.model))
        turn.tries += 1
        gateway.fell_back += 1


class Attempt(msgspec.Struct, frozen=True):
    """One upstream's turn to answer: until when, and whether it is the last."""

    link: Link
    body: bytes
    until: float
    last: bool


async def _asked(gateway: Gateway, turn: Turn, attempt: Attempt, send: Send) -> bool:
    """Pass on what one upstream answers; False where that is no use and another can be asked."""
    link = attempt.link
    streams = turn.request is not None and turn.request.stream
    body = renamed(attempt.body, link.model) if link.model else attempt.body
    counted = _counted(turn, body) if streams and link.ask_usage else None
    turn.bill = gateway.till.bill(turn.caller.key, turn.model, body, link.tier)
    async with (
        turn.bill as bill,
        link.upstream.answer(
            turn.method,
            turn.path,
            gateway.forwarded(turn, link),
            counted or body,
            first_byte_s=link.first_byte_s if streams else link.answer_s,
            retries=gateway.settings.retries,
            until=attempt.until,
        ) as reached,
    ):
        response = reached.response
        bill.status = response.status
        turn.tries += reached.tries - 1
        if not (attempt.last or usable(link.tier, response.status)):
            return False
        if response.status in _SUCCESS and link.api_key is None:
            gateway.accepted_upstream(turn.headers)
        if response.content_type == "text/event-stream":
            drops = tells_usage if counted else None
            await _stream(gateway, turn, response, attempt, send, drops)
        else:
            await _whole(gateway, turn, response, attempt, send)
    return True


def _counted(turn: Turn, body: bytes) -> bytes | None:
    """Return the body asking for the stream's tokens as well, where the caller does not itself."""
    if turn.dialect is not CHAT or turn.request is None or wants_usage(turn.request):
        return None
    return asking_usage(body)


async def _whole(
    gateway: Gateway, turn: Turn, response: aiohttp.ClientResponse, attempt: Attempt, send: Send
) -> None:
    # A whole answer may begin early and pause until its last token.
    idle_s, limit = attempt.link.answer_s, gateway.settings.limits.upstream_bytes
    body = await whole_body(response, limit, idle_s, attempt.until)
    completion = None
    if response.status in _SUCCESS:
        turn.model = _named(body) or turn.model
        with contextlib.suppress(InputError):
            completion = turn.completion = turn.dialect.completion(body)
            turn.usage = told(completion).usage
            if turn.bill is not None:
                turn.bill.settle(turn.usage)
    error = None if completion else {"status": response.status, "body": quoted(body)}
    if not await may_answer(gateway, exchange_of(turn, _since(turn), completion, error)):
        turn.problem = CAPTURE_FAILS
        await send_own(turn, send, UNCAPTURED)
        return
    turn.status = response.status
    headers = back(response.headers.items())
    if turn.tries and response.status not in _SUCCESS:
        # Another try was made here; the client's own would only multiply it.
        headers = [one for one in headers if one[0] != b"x-should-retry"] + [NO_RETRY]
    reply = Reply(response.status, body, headers)
    await send_reply(send, reply, headers_of(turn))


async def may_answer(gateway: Gateway, exchange: Exchange, *, cleaned: bool = False) -> bool:
    """Capture an exchange, and say whether its answer may be given: always, or if it is durable."""
    durable = await gateway.capture.keep(exchange, cleaned=cleaned)
    return durable or not gateway.settings.refuses_uncaptured


def _named(data: bytes) -> str:
    """Return the name of the model that says this, or ""."""
    try:
        found = _model.decode(data)
    except (ValueError, RecursionError):
        return ""
    inner = found.message or found.response
    return found.model or (inner.model if inner else None) or ""


def _refuses(frames: list[bytes]) -> bool:
    """Say whether a stream begins with an error, so that another may still be asked."""
    try:
        found = _first.decode(frames[0]) if frames else _First()
    except (ValueError, RecursionError):
        return False
    return found.error is not None or found.type in ("error", "response.failed")


async def _stream(
    gateway: Gateway,
    turn: Turn,
    response: aiohttp.ClientResponse,
    attempt: Attempt,
    send: Send,
    drops: Callable[[bytes], bool] | None,
) -> None:
    """Pass a stream on line by line; `[DONE]` waits until the outbox has the whole of it."""
    limits, timeouts = gateway.settings.limits, gateway.settings.timeouts
    passage = SsePassage(limits.line_bytes, turn.dialect.ends, drops)
    failure: Unanswered | None = None
    # A model that thinks first may send its headers long before its first word.
    first_s = max(attempt.link.first_byte_s, timeouts.idle)
    body = Body(response, limits.upstream_bytes, first_s, attempt.until)
    try:
        while not passage.done and (chunk := await body.read()):
            passed = passage.feed(chunk)
            if passed:
                if not turn.status:
                    body.flows(timeouts.idle)
                    if not attempt.last and _refuses(passage.frames):
                        raise Unanswered(502, "upstream_error", "The upstream began with an error.")
                await _send_part(turn, response, passage, passed, send)
        await read_on(body, passage)
    except Unanswered as broken:
        failure = broken
    except LineTooLong:
        failure = Unanswered(502, TOO_LONG, "The upstream sent a line without an end.")
    except asyncio.CancelledError:
        if turn.status:
            await _left(gateway, turn, passage, send)
        raise
    finally:
        body.end()
    await _end(gateway, turn, response, passage, failure, send)


async def _send_part(
    turn: Turn, response: aiohttp.ClientResponse, passage: SsePassage, part: bytes, send: Send
) -> None:
    if not turn.status:
        turn.status, turn.first_byte = response.status, time.monotonic()
        for frame in passage.frames[:1]:
            turn.model = _named(frame) or turn.model
        headers = [*streaming(response.headers.items()), *headers_of(turn)]
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def _end(
    gateway: Gateway,
    turn: Turn,
    response: aiohttp.ClientResponse,
    passage: SsePassage,
    failure: Unanswered | None,
    send: Send,
) -> None:
    if failure is not None and failure.code == TOO_LONG:
        del passage.frames[len(passage.frames) // 16 + 1 :]  # its beginning is enough to keep
    said = turn.dialect.summed(passage.frames)
    del passage.frames[1:]  # they are as large as what was made of them
    rest = passage.rest()
    if failure is None and not passage.done and not said.finished and said.error is None:
        failure = Unanswered(
            502, "upstream_broke_off", "The upstream broke off before the end of its answer."
        )
    if failure is not None and not turn.status:
        raise failure  # another may still be asked: nothing is wrong with the turn yet
    whole = failure is None and said.error is None and said.completion is not None
    if failure is not None or said.error is not None:
        turn.problem = failure.code if failure else "error_in_stream"
    if whole:
        turn.completion = msgspec.json.encode(said.completion)
        turn.usage = told(turn.completion).usage
        if turn.bill is not None:
            turn.bill.settle(turn.usage)
        line = exchange_of(turn, _since(turn), turn.completion)
    else:
        error = {"status": response.status, "message": str(failure or "error in the stream")}
        line = exchange_of(turn, _since(turn), None, error, said.completion)
    del said
    if not await may_answer(gateway, line):
        turn.problem = CAPTURE_FAILS
        failure = failure or Unanswered(503, CAPTURE_FAILS, "The gateway can't record this call.")
    if failure is not None:
        # An empty line first: the last event may not have been closed.
        rest = passage.newline + turn.dialect.error_frame(str(failure), failure.code)
    await _send_part(turn, response, passage, rest, send)
    await send({"type": "http.response.body", "body": b""})


async def _left(gateway: Gateway, turn: Turn, passage: SsePassage, send: Send) -> None:
    """Keep what had come when the caller left, or when the gateway's time to drain was over."""
    error = given_up(gateway, turn, "the end of the stream")
    partial = turn.dialect.summed(passage.frames).completion
    gateway.capture.keep_later(exchange_of(turn, _since(turn), None, error, partial))
    if gateway.cut_off:
        await send({"type": "http.response.body", "body": last_event(turn, passage)})


def reply_to(failure: Unanswered) -> Reply:
    """Return what the caller is told of a failure."""
    return problem(
        failure.status,
        str(failure),
        failure.code,
        retry_after_s=failure.retry_after_s,
        tried=not isinstance(failure, Unaffordable) or failure.is_final,
    )


def _since(turn: Turn) -> float:
    return (time.monotonic() - turn.begun) * 1000


async def _nowhere(message: Any) -> None:
    """Send to nobody."""
