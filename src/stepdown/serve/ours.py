"""Answers of our own: in the caller's dialect, with the id of the request where clients look."""

from stepdown.serve.capture import Turn
from stepdown.serve.headers import Headers, decision_headers
from stepdown.serve.replies import Reply, Send, in_dialect, send_reply

__all__ = ["headers_of", "own_headers", "send_own"]


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
    await send_reply(send, in_dialect(reply, turn.dialect, turn.id), own_headers(turn))
