"""A call in any dialect, and `/v1/route`: from a body to a decision, from that to an answer."""

import asyncio
import random
import re
import time

import msgspec

from stepdown.core.calls import Answer, Request, Usage
from stepdown.core.routes import Decision
from stepdown.errors import InputError
from stepdown.serve.behind import BehindAnswer, ask_behind
from stepdown.serve.capture import Turn, exchange_of
from stepdown.serve.chain import held_back, renamed
from stepdown.serve.decide import Verdict, decide
from stepdown.serve.dialects import CHAT, Said
from stepdown.serve.gateway import Gateway, new_turn
from stepdown.serve.headers import header
from stepdown.serve.relay import headers_of, relay, relay_quietly, while_there
from stepdown.serve.replies import (
    JSON,
    Receive,
    Reply,
    Send,
    in_dialect,
    json_reply,
    problem,
    read_body,
    send_reply,
)
from stepdown.wire.openai import ChatBody, parse_request
from stepdown.wire.openai_answers import Stamp, completion_body, estimated_usage

__all__ = ["answer_call", "route"]

BYPASSED = Decision("bypassed", "forced", "frontier")
OWN_MODELS = "stepdown/"
_LONGEST_MESSAGE = 400
_SSE = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_DOCUMENT = re.compile(rb'"(?:file|input_file|document)"')
_DOCUMENTS_S = 10.0
_UNCAPTURED = problem(
    503,
    "The gateway can't record calls just now, and is set to answer none that it does not record "
    '(`[store] when_full = "refuse"`); try again shortly.',
    "capture_unavailable",
    retry_after_s=2,
)
_LEGACY = ("functions", "function_call")

_body = msgspec.json.Decoder(ChatBody)


async def answer_call(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """Answer a call in the turn's dialect, from a student or from upstream."""
    body = await read_body(receive)
    if body is None:
        return
    turn.body = body
    if gateway.settings.refuses_uncaptured and not gateway.capture.works():
        await _refuse(turn, send, _UNCAPTURED)
        return
    _, query, rest = turn.path.partition("?")
    turn.path = turn.dialect.path + query + rest
    bypassed = header(turn.headers, b"x-stepdown-bypass").lower() in ("true", "1")
    try:
        turn.chat = turn.dialect.chat(body)
        turn.request = await _parsed(gateway, turn.chat, bypassed)
    except InputError as wrong:
        await _refuse(turn, send, problem(400, str(wrong)[:_LONGEST_MESSAGE], "invalid_request"))
        return
    if bypassed:
        turn.decision = BYPASSED
        await _upstream(gateway, turn, None, receive, send)
        return
    verdict = await _decided(gateway, turn, turn.request)
    if isinstance(verdict, Reply):
        await _refuse(turn, send, verdict)
    elif verdict.answer is not None:
        turn.model = f"{OWN_MODELS}{turn.task_name}"
        await _answer(gateway, turn, verdict.answer, None, send)
        _audit(gateway, turn, verdict)
    elif verdict.decision.tier == "mid":
        await _behind(gateway, turn, verdict, receive, send)
    else:
        await _upstream(gateway, turn, verdict, receive, send)


async def route(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """Tell what would become of a request, and why; nothing is sent upstream or captured."""
    body = await read_body(receive)
    if body is None:
        return
    try:
        request = await _parsed(gateway, body, bypassed=False)
    except InputError as wrong:
        await _refuse(turn, send, problem(400, str(wrong)[:_LONGEST_MESSAGE], "invalid_request"))
        return
    verdict = await _decided(gateway, turn, request)
    if isinstance(verdict, Reply):
        await _refuse(turn, send, verdict)
        return
    live, decision = verdict.live, verdict.decision
    shown = {
        "decision": decision.kind,
        "reason": decision.reason,
        "detail": verdict.detail,
        "tier": decision.tier,
        "task": verdict.task.id if verdict.task else None,
        "task_name": verdict.task.name if verdict.task else None,
        "student": live.route.student if live else None,
        "mode": live.route.mode if live else None,
        "confidence": decision.confidence,
        "threshold": live.threshold if live else None,
        "generation": gateway.loaded.generation,
    }
    await _refuse(turn, send, json_reply(shown))


async def _parsed(gateway: Gateway, body: bytes, bypassed: bool) -> Request:
    """Parse a body; documents are read beside the event loop, where a student may need them."""
    if bypassed or not gateway.loaded.routes or not _DOCUMENT.search(body):
        return _read(body, documents=False)
    try:
        async with asyncio.timeout(_DOCUMENTS_S):
            return await asyncio.to_thread(_read, body, True)
    except TimeoutError:
        return _read(body, documents=False)


def _read(body: bytes, documents: bool) -> Request:
    """Parse a body; what is a field of the old functions API stays visible to the contract."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as wrong:
            raise InputError("The request is not UTF-8; JSON has to be.") from wrong
    request = parse_request(body, documents)
    if b'"function' in body:
        fields = _body.decode(body)
        legacy = {name: True for name in _LEGACY if name in fields}
        if legacy:
            return msgspec.structs.replace(request, params={**request.params, **legacy})
    return request


async def _decided(gateway: Gateway, turn: Turn, request: Request) -> Verdict | Reply:
    loaded = gateway.loaded
    turn.hint = _hint(turn, request)
    named = _own_model(request.model)
    if named is not None:
        if not loaded.tasks.named(named):
            return problem(
                404,
                f"There is no task {named[:80]!r}; GET /v1/models lists them.",
                "model_not_found",
                param="model",
            )
        turn.hint = turn.hint or named
    if not gateway.may_be_answered(turn):
        detail = "The upstream has not accepted this key lately; it is asked first."
        verdict = Verdict(Decision("relayed", "forced", "frontier"), detail=detail)
    else:
        verdict = await decide(
            loaded, request, turn.hint, _sticky(turn, request), gateway.students, gateway.shapes
        )
    turn.decision = verdict.decision
    turn.prediction = verdict.prediction
    if verdict.task is not None:
        turn.task_name = verdict.task.name
    return verdict


def _hint(turn: Turn, request: Request) -> str | None:
    hint = header(turn.headers, b"x-stepdown-task") or request.metadata.get("stepdown_task")
    return hint if isinstance(hint, str) and hint else None


def _own_model(model: str) -> str | None:
    return model.removeprefix(OWN_MODELS) if model.startswith(OWN_MODELS) else None


def _sticky(turn: Turn, request: Request) -> str:
    """Return what a canary's share is drawn by: the session or user that the caller names, else
    the request. Callers of one team mostly share one key, which would make a share all or none."""
    session = header(turn.headers, b"x-stepdown-session")
    user = request.params.get("user")
    return session or (user if isinstance(user, str) and user else turn.id)


async def _behind(
    gateway: Gateway, turn: Turn, verdict: Verdict, receive: Receive, send: Send
) -> None:
    """Answer from the model behind the student, or from upstream where that gives no answer."""
    live, request, answers = verdict.live, turn.request, list[BehindAnswer | None]()
    assert live is not None
    assert request is not None

    async def ask() -> None:
        answers.append(await ask_behind(gateway, live, request, turn))

    await while_there(ask(), receive)
    if not answers:
        latency_ms = (time.monotonic() - turn.begun) * 1000
        error = {"status": 499, "message": "The caller left before the answer."}
        gateway.capture.keep_later(exchange_of(turn, latency_ms, None, error))
        return
    (found,) = answers
    if found is not None:
        turn.model = found.model
        await _answer(gateway, turn, found.answer, found.usage, send)
        # An audit compares what the caller got.
        turn.prediction = found.prediction
        _audit(gateway, turn, verdict)
        return
    turn.decision = msgspec.structs.replace(verdict.decision, tier="frontier")
    await _upstream(gateway, turn, verdict, receive, send)


async def _answer(
    gateway: Gateway, turn: Turn, answer: Answer, usage: Usage | None, send: Send
) -> None:
    """Send an answer that is not the upstream's, streamed where that was asked for."""
    request = turn.request
    assert request is not None
    if usage is None:
        usage = estimated_usage(request, answer)
        turn.estimated = True
    dialect = turn.dialect
    stamp = Stamp(f"{dialect.prefix}{turn.id}", int(turn.time), request.model or turn.model)
    body = completion_body(answer, stamp, usage)
    latency_ms = (time.monotonic() - turn.begun) * 1000
    await gateway.capture.keep(exchange_of(turn, latency_ms, body))
    headers = [*headers_of(turn), (b"x-request-id", turn.id.encode())]
    turn.status = 200
    options = request.params.get("stream_options")
    counted = isinstance(options, dict) and options.get("include_usage") is True
    said = Said(answer, stamp, usage, turn.body, counted)
    if request.stream:
        await send_reply(send, Reply(200, dialect.stream(said), [*_SSE]), headers)
    else:
        # What was captured is what a chat caller gets: it is not written twice.
        sent = body if dialect is CHAT else dialect.body(said)
        await send_reply(send, Reply(200, sent, [JSON]), headers)


async def _upstream(
    gateway: Gateway, turn: Turn, verdict: Verdict | None, receive: Receive, send: Send
) -> None:
    body = _upstream_body(gateway, turn, verdict)
    if body is None:
        message = (
            f"The request goes upstream, where {turn.model[:80]!r} is no model; "
            "name a real one, or set [tiers.frontier] model in stepdown.toml."
        )
        await _refuse(turn, send, problem(400, message, "model_not_found", param="model"))
        return
    await relay(gateway, turn, body, receive, send)


def _upstream_body(gateway: Gateway, turn: Turn, verdict: Verdict | None) -> bytes | None:
    """Return the caller's own bytes, or, where it named one of our models, with a real one's name.

    None when no real model is known. Every other field keeps its bytes.
    """
    assert turn.request is not None
    turn.model = turn.request.model
    if turn.model != "auto" and _own_model(turn.model) is None:
        return turn.body
    task = verdict.task if verdict else None
    named = _own_model(turn.model)
    if task is None and named is not None:
        task = next(iter(gateway.loaded.tasks.named(named)), None)
    taught = max(task.models, key=task.models.__getitem__) if task and task.models else None
    model = gateway.model_of(turn.dialect) or taught
    if model is None:
        return None
    turn.model = model
    return renamed(turn.body, model)


def _audit(gateway: Gateway, turn: Turn, verdict: Verdict) -> None:
    """Ask the upstream for a random share of what a student has answered: the only unbiased view
    of how it does. The caller has its answer already and does not notice."""
    if held_back(gateway.chain_of(turn)):
        return
    if random.random() >= gateway.settings.audit_share:
        return
    audit = new_turn(turn.method, turn.path, turn.headers)
    audit.body, audit.request, audit.hint = turn.body, turn.request, turn.hint
    audit.chat, audit.dialect = turn.chat, turn.dialect
    audit.task_name, audit.prediction, audit.audit_of = turn.task_name, turn.prediction, turn.id
    decision = verdict.decision
    audit.decision = Decision(
        "relayed", "shadow", "frontier", decision.task, decision.student, decision.confidence
    )
    body = _upstream_body(gateway, audit, verdict)
    if body is not None:
        gateway.beside(relay_quietly(gateway, audit, body))


async def _refuse(turn: Turn, send: Send, reply: Reply) -> None:
    turn.status = reply.status
    await send_reply(send, in_dialect(reply, turn.dialect), headers_of(turn))
