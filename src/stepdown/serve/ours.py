"""Answers of our own: in the caller's dialect, with the id of the request where clients look."""

from stepdown.serve.capture import Turn
from stepdown.serve.headers import Headers, decision_headers, refusal_headers
from stepdown.serve.replies import Reply, Send, in_dialect, send_reply

__all__ = ["headers_of", "own_headers", "refuse", "send_own"]


def headers_of(turn: Turn) -> Headers:
    """Return the turn's decision headers."""
    return decision_headers(turn.id, turn.decision, turn.task_name, turn.model)


def own_headers(turn: Turn) -> Headers:
    """Return what an answer of our own says: the decision, and its id where clients look for it."""
    id = turn.id.encode()
    return [*headers_of(turn), *((name, id) for name in turn.dialect.id_headers)]


async def send_own(turn: Turn, send: Send, reply: Reply) -> None:
    """Send a whole reply of our own, an error above all, as the caller's dialect has it."""
    turn.status = reply.status
    headers = own_headers(turn)
    if reply.problem is not None:
        turn.problem = reply.problem.code
        if turn.decision is None:
            headers += refusal_headers(turn.problem)
    await send_reply(send, in_dialect(reply, turn.dialect, turn.id), headers)


async def refuse(turn: Turn, send: Send, reply: Reply) -> None:
    """Send a refusal, and forget what was decided: it is not carried out."""
    turn.decision = None
    await send_own(turn, send, reply)
