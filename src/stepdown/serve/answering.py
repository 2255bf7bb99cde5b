"""How an answer comes: from here, written in the caller's dialect, or from upstream as it is."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

from stepdown.core.calls import Answer, Usage
from stepdown.core.tasks import Task
from stepdown.serve.capture import Turn, exchange_of
from stepdown.serve.chain import renamed
from stepdown.serve.counting import wants_usage
from stepdown.serve.decide import Verdict
from stepdown.serve.dialects import CHAT, MESSAGES, Dialect, Said
from stepdown.serve.ending import given_up
from stepdown.serve.gateway import Gateway
from stepdown.serve.ours import own_headers, refuse
from stepdown.serve.presence import while_there
from stepdown.serve.providers import may_be_at
from stepdown.serve.relay import may_answer, relay
from stepdown.serve.replies import (
    JSON,
    UNCAPTURED,
    Receive,
    Reply,
    Send,
    problem,
    send_reply,
)
from stepdown.wire.openai_answers import Stamp, completion_body, estimated_usage

__all__ = [
    "OWN_MODELS",
    "ask_upstream",
    "heard",
    "no_real_model",
    "no_task",
    "own_model",
    "real_model",
    "send_answer",
    "upstream_body",
]

OWN_MODELS = "stepdown/"
_SSE = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_ESTIMATED = (b"x-stepdown-usage", b"estimated")

T = TypeVar("T")


async def send_answer(
    gateway: Gateway,
    turn: Turn,
    answer: Answer,
    usage: Usage | None,
    send: Send,
    *,
    students: bool = False,
) -> bool:
    """Send an answer that is not the upstream's, streamed where that was asked for.

    False: it is a student's, who has seen what the calls it learnt from did not have, so that
    nothing was sent.
    """
    request = turn.request
    assert request is not None
    if usage is None:
        usage = estimated_usage(request, answer)
        turn.estimated = True
    dialect = turn.dialect
    stamp = Stamp(f"{dialect.prefix}{turn.id}", int(turn.time), request.model or turn.model)
    body = completion_body(answer, stamp, usage)
    turn.usage, turn.completion = usage, body
    latency_ms = (time.monotonic() - turn.begun) * 1000
    said_of_it = exchange_of(turn, latency_ms, body)
    # One search serves both: most lines have nothing to be taken out.
    kept = gateway.capture.clean(said_of_it)
    if students and kept is not said_of_it and not turn.redacted:
        return False
    if not await may_answer(gateway, kept, cleaned=True):
        await refuse(turn, send, UNCAPTURED)
        return True
    headers = own_headers(turn)
    if turn.estimated:
        headers.append(_ESTIMATED)
    turn.status = 200
    said = Said(answer, stamp, usage, turn.body, wants_usage(request))
    await send_reply(send, _written(dialect, said, body, request.stream), headers)
    return True


def _written(dialect: Dialect, said: Said, completion: bytes, stream: bool) -> Reply:
    """Return the answer in the caller's dialect; `completion` is it in chat completions."""
    if stream:
        return Reply(200, dialect.stream(said), [*_SSE])
    # What was captured is what a chat caller gets: it is not written twice.
    return Reply(200, completion if dialect is CHAT else dialect.body(said), [JSON])


async def ask_upstream(
    gateway: Gateway, turn: Turn, verdict: Verdict | None, receive: Receive, send: Send
) -> None:
    """Relay the turn's call, with a real model's name in it where it named one of ours."""
    body = upstream_body(gateway, turn, verdict)
    if body is None and turn.way and turn.dialect is CHAT:
        # Below the frontier everyone is asked for a model of its own.
        turn.way = tuple(link for link in turn.way if link.model)
        body = turn.body if turn.way else None
    if body is None:
        await refuse(turn, send, no_real_model(gateway, turn.dialect, turn.model))
        return
    await relay(gateway, turn, body, receive, send)


def upstream_body(gateway: Gateway, turn: Turn, verdict: Verdict | None) -> bytes | None:
    """Return the caller's own bytes, or, where it named one of our models, with a real one's name.

    None when no real model is known. Every other field keeps its bytes.
    """
    assert turn.request is not None
    turn.model = turn.request.model
    if turn.model != "auto" and own_model(turn.model) is None:
        return turn.body
    task = verdict.task if verdict else None
    named = own_model(turn.model)
    if task is None and named is not None:
        task = next(iter(gateway.loaded.tasks.named(named)), None)
    model = real_model(gateway, turn.dialect, task)
    if model is None:
        return None
    turn.model = model
    return renamed(turn.body, model)


def real_model(gateway: Gateway, dialect: Dialect, task: Task | None) -> str | None:
    """Return what goes upstream for a model of ours: the configured model, else the one that the
    task's log mostly names, of those that may be at the dialect's address."""
    configured = gateway.model_of(dialect)
    if configured is not None or task is None:
        return configured
    address = next((one.upstream.address for one in gateway.chains.frontier_of(dialect)), "")
    taught = {name: calls for name, calls in task.models.items() if may_be_at(name, address)}
    return max(taught, key=taught.__getitem__, default=None)


def no_real_model(gateway: Gateway, dialect: Dialect, name: str) -> Reply:
    """Return the refusal of a model of ours that no real one is known for."""
    apart = dialect is MESSAGES and gateway.settings.messages is not None
    table = "tiers.frontier.messages" if apart else "tiers.frontier"
    message = (
        f"The request goes upstream, where {name[:80]!r} is no model; "
        f"name a real one, or set [{table}] model in stepdown.toml."
    )
    return problem(400, message, "model_not_found", param="model")


def no_task(name: str) -> Reply:
    """Return the refusal of a model that is named after no task of ours."""
    message = f"There is no task {name[:80]!r}; GET /v1/models lists them."
    return problem(404, message, "model_not_found", param="model")


def own_model(model: str) -> str | None:
    """Return the task that a model of ours is named after; None: it is another's."""
    return model.removeprefix(OWN_MODELS) if model.startswith(OWN_MODELS) else None


async def heard(
    gateway: Gateway, turn: Turn, asking: Coroutine[Any, Any, T], receive: Receive
) -> list[T]:
    """Return what another model was heard to say; nothing where the caller left meanwhile."""
    heard: list[T] = []

    async def listen() -> None:
        try:
            heard.append(await asking)
        except asyncio.CancelledError:
            latency_ms = (time.monotonic() - turn.begun) * 1000
            error = given_up(gateway, turn, "the answer")
            gateway.capture.keep_later(exchange_of(turn, latency_ms, None, error))
            raise

    await while_there(listen(), receive)
    return heard
