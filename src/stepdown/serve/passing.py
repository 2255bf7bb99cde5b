"""Calls that pass through as they are: embeddings, files, batches and whatever else an API has.

Only where tokens are counted for a model of ours is a real one's name put in its place. A stream
that breaks off ends with an error in it, as those of calls do.
"""

import asyncio
import contextlib
from collections.abc import MutableMapping
from typing import Any

import aiohttp
import msgspec

from stepdown.core.tasks import Task
from stepdown.errors import InputError
from stepdown.serve.answering import no_real_model, no_task, own_model, real_model
from stepdown.serve.capture import Turn
from stepdown.serve.chain import renamed
from stepdown.serve.ending import given_up, last_event
from stepdown.serve.gateway import Gateway
from stepdown.serve.headers import Headers, back, header, streaming
from stepdown.serve.ours import headers_of, refuse, send_own
from stepdown.serve.presence import while_there
from stepdown.serve.relay import no_way, reply_to
from stepdown.serve.replies import Receive, Reply, Send
from stepdown.serve.sse import LineTooLong, SsePassage
from stepdown.serve.till import COUNTS, Bill, Unaffordable
from stepdown.serve.upstream import TOO_LONG, Body, Unanswered, read_on
from stepdown.wire.openai import parse_request
from stepdown.wire.told import usage_beside

__all__ = ["pass_through"]

_MOST_KEPT = 8 * 2**20
"""The longest answer, in bytes, whose usage is read."""


class _Named(msgspec.Struct):
    model: str = ""


_named = msgspec.json.Decoder(_Named)


async def pass_through(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """Relay any other API call as it is, uncaptured."""
    refusal = no_way(gateway, turn) or _name_anew(gateway, turn)
    if refusal is not None:
        await refuse(turn, send, refusal)
        return
    await while_there(_pass_through(gateway, turn, send), receive)


def _name_anew(gateway: Gateway, turn: Turn) -> Reply | None:
    """Put a real model's name where tokens are to be counted for one of ours, as the call itself
    has it; returns why that can't be done, if so."""
    if turn.method != "POST" or turn.path.partition("?")[0] not in COUNTS:
        return None
    try:
        name = _named.decode(turn.body).model
    except (ValueError, RecursionError):
        return None  # whoever counts says what is wrong with it
    task = own_model(name)
    if name != "auto" and task is None:
        return None
    if task is not None and not gateway.loaded.tasks.named(task):
        return no_task(task)
    model = real_model(gateway, turn.dialect, _task_of(gateway, turn, task))
    if model is None:
        return no_real_model(gateway, turn.dialect, name)
    turn.model, turn.body = model, renamed(turn.body, model)
    return None


def _task_of(gateway: Gateway, turn: Turn, named: str | None) -> Task | None:
    tasks = gateway.loaded.tasks
    hint = header(turn.headers, b"x-stepdown-task") or named
    if hint is None:
        with contextlib.suppress(InputError):
            request = parse_request(turn.dialect.chat(turn.body), documents=False)
            found = tasks.recognise(request)
            return found[0] if found else None
        return None
    return next(iter(tasks.named(hint)), None)


async def _pass_through(gateway: Gateway, turn: Turn, send: Send) -> None:
    limits, timeouts = gateway.settings.limits, gateway.settings.timeouts
    # What is kept elsewhere (files, batches) is at one address, and vectors of another model would
    # not fit: here nobody stands in.
    link = gateway.chain_of(turn)[0]
    turn.upstream = link.upstream.address
    try:
        async with (
            gateway.till.passage(turn.caller.key, turn.method, turn.path, turn.body) as bill,
            link.upstream.answer(
                turn.method,
                turn.path,
                gateway.forwarded(turn, link),
                turn.body,
                first_byte_s=link.answer_s,
            ) as reached,
        ):
            response = reached.response
            bill.status = response.status
            streams = response.content_type == "text/event-stream"
            idle_s = timeouts.idle if streams else timeouts.answer
            body = Body(response, limits.relayed_bytes, idle_s)
            try:
                if bill.is_open and response.content_type == "application/json":
                    send = _Kept(bill, send).send
                await (_stream if streams else _parts)(gateway, turn, response, body, send)
            finally:
                body.end()
    except Unanswered as failure:
        if turn.status:
            # Too late for a status: an answer without its end closes the connection.
            raise
        unsent = isinstance(failure, Unaffordable)
        await (refuse if unsent else send_own)(turn, send, reply_to(failure))


async def _parts(
    gateway: Gateway, turn: Turn, response: aiohttp.ClientResponse, body: Body, send: Send
) -> None:
    chunk = await body.read()
    await _begin(turn, response.status, back(response.headers.items()), send)
    while chunk:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        chunk = await body.read()
    await send({"type": "http.response.body", "body": b""})


async def _stream(
    gateway: Gateway, turn: Turn, response: aiohttp.ClientResponse, body: Body, send: Send
) -> None:
    """Pass a stream on line by line; what ends it waits for what may follow it."""
    passage = SsePassage(gateway.settings.limits.line_bytes, turn.dialect.ends)
    chunk = await body.read()
    await _begin(turn, response.status, streaming(response.headers.items()), send)
    try:
        while chunk:
            passed = passage.feed(chunk)
            passage.frames.clear()
            if passed:
                await send({"type": "http.response.body", "body": passed, "more_body": True})
            chunk = b"" if passage.done else await body.read()
        await read_on(body, passage)
    except asyncio.CancelledError:
        given_up(gateway, turn, "the end of the stream")
        if gateway.cut_off:
            await send({"type": "http.response.body", "body": last_event(turn, passage)})
        raise
    except (Unanswered, LineTooLong) as failure:
        broken = isinstance(failure, Unanswered)
        turn.problem = failure.code if broken else TOO_LONG
        told = str(failure) if broken else "The upstream sent a line without an end."
        # An empty line first: the last event may not have been closed.
        rest = passage.newline + turn.dialect.error_frame(told, turn.problem)
    else:
        rest = passage.rest()
    await send({"type": "http.response.body", "body": rest})


async def _begin(turn: Turn, status: int, headers: Headers, send: Send) -> None:
    turn.status = status
    headers = [*headers, *headers_of(turn)]
    await send({"type": "http.response.start", "status": status, "headers": headers})


class _Kept:
    """Sends an answer, and settles its bill by the usage that the whole of it tells, unless that is
    too long."""

    def __init__(self, bill: Bill, send: Send) -> None:
        self._bill, self._send = bill, send
        self._left = _MOST_KEPT
        self._parts: list[bytes] = []

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a part; before the last the bill is settled."""
        part: bytes = message.get("body", b"")
        self._left -= len(part)
        if self._left < 0:
            self._parts.clear()
        elif part:
            self._parts.append(part)
        if part == b"" and "body" in message and self._parts:
            self._bill.settle(usage_beside(b"".join(self._parts)))
            self._parts.clear()
        await self._send(message)
