"""A call in any dialect, and `/v1/route`: from a body to a decision, from that to an answer."""

import asyncio
import random

import msgspec

from stepdown.core.calls import Request
from stepdown.core.routes import Decision
from stepdown.errors import InputError
from stepdown.serve.answering import (
    OWN_MODELS,
    ask_upstream,
    heard,
    no_task,
    own_model,
    send_answer,
    upstream_body,
)
from stepdown.serve.behind import ask_behind
from stepdown.serve.capture import Turn
from stepdown.serve.chain import held_back
from stepdown.serve.decide import Verdict, decide
from stepdown.serve.dialects import CHAT, meant
from stepdown.serve.gateway import Gateway, new_turn
from stepdown.serve.headers import header
from stepdown.serve.ours import refuse, send_own
from stepdown.serve.relay import relay_quietly
from stepdown.serve.replies import (
    UNCAPTURED,
    Receive,
    Reply,
    Send,
    json_reply,
    problem,
    read_body,
)
from stepdown.serve.tiers import HAS_DOCUMENT
from stepdown.serve.untasked import answer_untasked, goes_by_score, placed
from stepdown.wire.openai import ChatBody, parse_request

__all__ = ["answer_call", "route", "task_refusal"]

BYPASSED = Decision("bypassed", "forced", "frontier")
_LONGEST_MESSAGE = 400
_DOCUMENTS_S = 10.0
_BEYOND_STUDENTS = ("escalated", "bypassed")
_LEGACY = ("functions", "function_call")

_body = msgspec.json.Decoder(ChatBody)


async def answer_call(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """Answer a call in the turn's dialect, from a student or from upstream."""
    body = await read_body(receive)
    if body is None:
        return
    turn.body = body
    if gateway.settings.refuses_uncaptured and not gateway.capture.works():
        await send_own(turn, send, UNCAPTURED)
        return
    _, query, rest = turn.path.partition("?")
    turn.path = turn.dialect.path + query + rest
    bypassed = header(turn.headers, b"x-stepdown-bypass").lower() in ("true", "1")
    try:
        turn.chat = turn.dialect.chat(body)
        turn.request = await _parsed(gateway, turn.chat, bypassed)
    except InputError as wrong:
        await send_own(turn, send, _no_call(turn, wrong))
        return
    await _settled(gateway, turn, receive, send, bypassed)


async def _settled(
    gateway: Gateway, turn: Turn, receive: Receive, send: Send, bypassed: bool = False
) -> None:
    """Decide on a call that was read, and do it."""
    assert turn.request is not None
    if bypassed:
        turn.decision, verdict = BYPASSED, None
    else:
        verdict = await _decided(gateway, turn, turn.request)
    if not isinstance(verdict, Reply):
        verdict = _beyond_limits(gateway, turn) or verdict
    if isinstance(verdict, Reply):
        await refuse(turn, send, verdict)
    else:
        await _carry_out(gateway, turn, verdict, receive, send)


async def _carry_out(
    gateway: Gateway, turn: Turn, verdict: Verdict | None, receive: Receive, send: Send
) -> None:
    """Do what was decided; None: the call goes around the students."""
    if verdict is None:
        await ask_upstream(gateway, turn, None, receive, send)
    elif verdict.answer is not None:
        turn.model = f"{OWN_MODELS}{turn.task_name}"
        if await send_answer(gateway, turn, verdict.answer, None, send, students=True):
            _audit(gateway, turn, verdict)
        else:
            turn.redacted = True
            await _settled(gateway, turn, receive, send)
    elif verdict.decision.tier == "mid":
        await _behind(gateway, turn, verdict, receive, send)
    elif verdict.task is None and verdict.decision.reason == "no_route":
        await answer_untasked(gateway, turn, verdict, receive, send)
    else:
        await ask_upstream(gateway, turn, verdict, receive, send)


async def route(gateway: Gateway, turn: Turn, receive: Receive, send: Send) -> None:
    """Tell what would become of a request, and why; nothing is sent upstream or captured."""
    body = await read_body(receive)
    if body is None:
        return
    try:
        turn.dialect = meant(body, turn.path.partition("?")[2])
        turn.chat, turn.redacted = turn.dialect.chat(body), True
        request = await _parsed(gateway, turn.chat, bypassed=False)
    except InputError as wrong:
        await send_own(turn, send, _no_call(turn, wrong))
        return
    verdict = await _decided(gateway, turn, request)
    if isinstance(verdict, Reply):
        await send_own(turn, send, verdict)
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
    if goes_by_score(gateway, verdict):
        shown |= placed(gateway, turn, request)
    await send_own(turn, send, json_reply(shown))


def _no_call(turn: Turn, wrong: InputError) -> Reply:
    # In other dialects the field has another name, or stands elsewhere.
    field = wrong.field if turn.dialect is CHAT else None
    return problem(400, str(wrong)[:_LONGEST_MESSAGE], "invalid_request", param=field)


def task_refusal(turn: Turn) -> Reply | None:
    """Return the refusal of a call that the caller's key is not for, if it is not."""
    key = turn.caller.key
    if key is None or not key.tasks or turn.task_name in key.tasks:
        return None
    message = f"This key is for calls of {', '.join(key.tasks)[:200]} alone, and this is none."
    return problem(403, message, "task_not_allowed")


def _beyond_limits(gateway: Gateway, turn: Turn) -> Reply | None:
    """Return why the caller's key may not have this decision carried out, if so."""
    refusal = task_refusal(turn)
    if refusal is None and turn.decision is not None and turn.decision.kind in _BEYOND_STUDENTS:
        refusal = gateway.till.escalating(turn.caller.key)
    return refusal


async def _parsed(gateway: Gateway, body: bytes, bypassed: bool) -> Request:
    """Parse a body; documents are read beside the event loop, where a student may need them."""
    if bypassed or not gateway.loaded.routes or not HAS_DOCUMENT.search(body):
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
    named = own_model(request.model)
    if named is not None:
        if not loaded.tasks.named(named):
            return no_task(named)
        turn.hint = turn.hint or named
    if not gateway.may_be_answered(turn):
        detail = "The upstream has not accepted this key lately; it is asked first."
        verdict = Verdict(Decision("relayed", "forced", "frontier"), detail=detail)
    elif (seen := await _seen(gateway, turn, request)) is None:
        detail = "What is to be taken out of the request can't be: no student may see it."
        verdict = Verdict(Decision("relayed", "forced", "frontier"), detail=detail)
    else:
        verdict = await decide(
            loaded,
            seen,
            turn.hint,
            _sticky(turn, request),
            gateway.students,
            gateway.shapes,
            gateway.redaction,
        )
    turn.decision = verdict.decision
    turn.prediction = verdict.prediction
    if verdict.task is not None:
        turn.task_name = verdict.task.name
    return verdict


async def _seen(gateway: Gateway, turn: Turn, request: Request) -> Request | None:
    """Return the request as students learn to see it, where that has to be known already.

    Else it is told by what is captured: there the same is searched for. None: what is left without
    that is no request any more.
    """
    turn.redacted = turn.redacted or gateway.loaded.tasks.redacted
    if not (turn.redacted and gateway.loaded.routes):
        return request
    body = gateway.capture.redacted(turn.chat)
    if body == turn.chat:
        return request
    try:
        return await _parsed(gateway, body, bypassed=False)
    except InputError:
        return None


def _hint(turn: Turn, request: Request) -> str | None:
    hint = header(turn.headers, b"x-stepdown-task") or request.metadata.get("stepdown_task")
    return hint if isinstance(hint, str) and hint else None


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
    assert verdict.live is not None
    assert turn.request is not None
    asking = ask_behind(gateway, verdict.live, turn.request, turn)
    for found in await heard(gateway, turn, asking, receive):
        if found is None:
            turn.decision = msgspec.structs.replace(verdict.decision, tier="frontier")
            await ask_upstream(gateway, turn, verdict, receive, send)
            return
        turn.model = found.model
        await send_answer(gateway, turn, found.answer, found.usage, send)
        # An audit compares what the caller got.
        turn.prediction = found.prediction
        _audit(gateway, turn, verdict)


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
    body = upstream_body(gateway, audit, verdict)
    if body is not None:
        gateway.beside(relay_quietly(gateway, audit, body))
