"""A call in another dialect put to a model that speaks chat completions alone.

The question is written anew from the request, as for the model behind a student; the answer goes
out in the caller's dialect. Whatever goes wrong, the next is asked.
"""

import contextlib
from collections.abc import Iterable

import msgspec

from stepdown.core.calls import Answer, Request, Usage
from stepdown.core.routes import Tier
from stepdown.core.savings import Spent
from stepdown.errors import InputError
from stepdown.serve.capture import Turn
from stepdown.serve.chain import Link
from stepdown.serve.gateway import Gateway
from stepdown.serve.headers import forwarded
from stepdown.serve.till import Unaffordable
from stepdown.serve.upstream import Unanswered, whole_body
from stepdown.wire.openai import parse_answer
from stepdown.wire.openai_bodies import request_body
from stepdown.wire.told import told

__all__ = ["Translated", "ask_translated"]

_OK = 200
_NOT_SENT = 503


class Translated(msgspec.Struct, frozen=True):
    """What a model of some tier said; `usage` is None where it told none."""

    tier: Tier
    model: str
    answer: Answer
    usage: Usage | None


async def ask_translated(
    gateway: Gateway, turn: Turn, request: Request, links: Iterable[Link], until: float
) -> Translated | None:
    """Ask one after another until one answers, at most until that moment; None: nobody did.

    What was paid for no answer is noted in `turn.beside`.
    """
    for link in links:
        model, turn.upstream = link.model or request.model, link.upstream.address
        body, usage = await _reply(gateway, turn, link, request_body(request, model), until), None
        if body is None:
            continue
        with contextlib.suppress(InputError):
            answer, usage, named = parse_answer(body)
            if answer.text is not None or answer.tool_calls:
                return Translated(link.tier, named or model, answer, usage)
        turn.beside = (*turn.beside, Spent(link.tier, model, usage))
    return None


async def _reply(
    gateway: Gateway, turn: Turn, link: Link, body: bytes, until: float
) -> bytes | None:
    headers = forwarded([(b"content-type", b"application/json")], link.api_key)
    model = link.model or (turn.request.model if turn.request else "")
    limit, patience = gateway.settings.limits.upstream_bytes, link.answer_s
    try:
        async with (
            gateway.till.bill(turn.caller.key, model, body, link.tier) as bill,
            link.upstream.answer(
                "POST",
                "/chat/completions",
                headers,
                body,
                first_byte_s=patience,
                retries=gateway.settings.retries,
                until=until,
            ) as reached,
        ):
            bill.status = reached.response.status
            if bill.status != _OK:
                return None
            answer = await whole_body(reached.response, limit, patience, until)
            bill.settle(told(answer).usage)
            return answer
    except Unaffordable:
        return None
    except Unanswered as failure:
        if failure.status != _NOT_SENT:
            turn.beside = (*turn.beside, Spent(link.tier, link.model or ""))
        return None
