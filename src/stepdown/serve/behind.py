"""The model behind a student: asked for what the student leaves, and trusted as far as certified.

The caller's keys and headers stay here: the question is written anew from the request. Whatever
goes wrong, the frontier model is asked instead.
"""

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
from stepdown.serve.till import Unaffordable
from stepdown.serve.upstream import Unanswered, whole_body
from stepdown.wire.asking import Inquiry, asked, said
from stepdown.wire.told import told

__all__ = ["BehindAnswer", "ask_behind"]

_OK = 200
_BAD_REQUEST = 400
_NOT_SENT = 503


class BehindAnswer(msgspec.Struct, frozen=True):
    """What the model behind a student says; `usage` is None where it told none."""

    model: str
    prediction: Prediction
    answer: Answer
    usage: Usage | None


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
            found = await _said_by(gateway, link, inquiry, body, turn)
            if not isinstance(found, int) or found == _BAD_REQUEST:
                break
    return found


async def _said_by(
    gateway: Gateway, link: Link, inquiry: Inquiry, body: bytes, turn: Turn
) -> bytes | int:
    limit = gateway.settings.limits.upstream_bytes
    headers = forwarded([(b"content-type", b"application/json")], link.api_key)
    try:
        async with (
            gateway.till.bill(turn.caller.key, inquiry.model, body, link.tier) as bill,
            link.upstream.answer(
                "POST", inquiry.path, headers, body, first_byte_s=link.answer_s
            ) as reached,
        ):
            status = bill.status = reached.response.status
            if status != _OK:
                return status
            answer = await whole_body(reached.response, limit, link.answer_s)
            bill.settle(told(answer).usage)
            return answer
    except Unaffordable:
        return 0
    except Unanswered as failure:
        if failure.status != _NOT_SENT:
            # It may have answered, and want money for it, without our hearing of it.
            turn.beside = (*turn.beside, Spent("mid", inquiry.model))
        return 0
