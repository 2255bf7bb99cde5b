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
from stepdown.serve.behind import Question, said_by
from stepdown.serve.capture import Turn
from stepdown.serve.chain import Link
from stepdown.serve.gateway import Gateway
from stepdown.wire.openai import parse_answer
from stepdown.wire.openai_bodies import request_body

__all__ = ["Translated", "ask_translated"]


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
        question = Question("/chat/completions", model, request_body(request, model))
        retries, usage = gateway.settings.retries, None
        body = await said_by(gateway, turn, link, question, retries=retries, until=until)
        if isinstance(body, int):
            continue
        with contextlib.suppress(InputError):
            answer, usage, named = parse_answer(body)
            if answer.text is not None or answer.tool_calls:
                return Translated(link.tier, named or model, answer, usage)
        turn.beside = (*turn.beside, Spent(link.tier, model, usage))
    return None
