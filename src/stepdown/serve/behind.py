"""The model behind a student: asked for what the student leaves, and trusted as far as certified.

The caller's keys and headers stay here: the question is written anew from the request. Whatever
goes wrong, the frontier model is asked instead.
"""

import math

import msgspec

from stepdown.core.calls import Answer, Request, Usage
from stepdown.core.contracts import answer_violation
from stepdown.core.ports import Prediction
from stepdown.core.savings import Spent
from stepdown.errors import InputError
from stepdown.serve.capture import Turn
from stepdown.serve.chain import Link
from stepdown.serve.gateway import Gateway
from stepdown.serve.headers import forwarded
from stepdown.serve.live import LiveRoute
from stepdown.serve.upstream import Unanswered, whole_body
from stepdown.wire.asking import Inquiry, asked, said
from stepdown.wire.told import told

__all__ = ["BehindAnswer", "Question", "ask_behind", "said_by"]

_OK = 200
_BAD_REQUEST = 400


class BehindAnswer(msgspec.Struct, frozen=True):
    """What the model behind a student says; `usage` is None where it told none."""

    model: str
    prediction: Prediction
    answer: Answer
    usage: Usage | None


class Question(msgspec.Struct, frozen=True):
    """What a model is asked in our own words: the whole body, and the path that it goes to."""

    path: str
    model: str
    body: bytes


async def ask_behind(
    gateway: Gateway, live: LiveRoute, request: Request, turn: Turn
) -> BehindAnswer | None:
    """Ask for one answer; None where there is none that may be given.

    What was paid for an answer that is not given is noted in `turn.beside`.
    """
    inquiry = live.behind
    if inquiry is None or not gateway.chains.mid:
        return None
    body = await _reply(gateway, inquiry, asked(inquiry, request), turn)
    if body == _BAD_REQUEST:
        # Some models refuse to tell how likely their tokens were.
        body = await _reply(gateway, inquiry, asked(inquiry, request, logprobs=False), turn)
    if isinstance(body, int):
        return None
    try:
        prediction, usage = said(inquiry, body)
    except InputError:
        turn.beside = (*turn.beside, Spent("mid", inquiry.model))
        return None
    answer = prediction.answer
    if answer is not None and live.trusts(prediction.confidence):
        unfit = gateway.shapes.misfit(request, answer) or answer_violation(
            live.contract, request, answer
        )
        if not unfit:
            return BehindAnswer(inquiry.model, prediction, answer, usage)
    turn.beside = (*turn.beside, Spent("mid", inquiry.model, usage))
    return None


async def _reply(gateway: Gateway, inquiry: Inquiry, body: bytes, turn: Turn) -> bytes | int:
    """Return the body of the answer, or the last status where there is none (0: no answer at all).

    The certificate is that of one model: only fall-backs that have the same one are asked.
    """
    found: bytes | int = 0
    for link in gateway.chains.mid:
        if link.model in (None, inquiry.model):
            turn.upstream = link.upstream.address
            question = Question(inquiry.path, inquiry.model, body)
            found = await said_by(gateway, turn, link, question)
            if not isinstance(found, int) or found == _BAD_REQUEST:
                break
    return found


async def said_by(
    gateway: Gateway,
    turn: Turn,
    link: Link,
    question: Question,
    *,
    retries: int = 0,
    until: float = math.inf,
) -> bytes | int:
    """Return the body of one upstream's answer, or its status where that is none (0: it gave none
    at all); what it may want money for all the same is noted in `turn.beside`."""
    limit, body = gateway.settings.limits.upstream_bytes, question.body
    headers = forwarded([(b"content-type", b"application/json")], link.api_key)
    try:
        async with (
            gateway.till.bill(turn.caller.key, question.model, body, link.tier) as bill,
            link.upstream.answer(
                "POST",
                question.path,
                headers,
                body,
                first_byte_s=link.answer_s,
                retries=retries,
                until=until,
            ) as reached,
        ):
            status = bill.status = reached.response.status
            if status != _OK:
                return status
            answer = await whole_body(reached.response, limit, link.answer_s, until)
            bill.settle(told(answer).usage)
            return answer
    except Unanswered as failure:
        if failure.sent:
            turn.beside = (*turn.beside, Spent(link.tier, question.model))
        return 0
