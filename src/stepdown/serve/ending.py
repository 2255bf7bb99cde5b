"""Calls that end before their answer does: their caller left, or the time to drain is over."""

from typing import Any

from stepdown.serve.capture import Turn
from stepdown.serve.gateway import Gateway
from stepdown.serve.replies import Reply, problem
from stepdown.serve.sse import SsePassage

__all__ = ["given_up", "last_event", "last_word"]

_CODE = "shutting_down"
_MESSAGE = "The gateway is shutting down; ask again."


def given_up(gateway: Gateway, turn: Turn, before: str) -> dict[str, Any]:
    """Return, for the outbox, why a call ends before that: it was sent, so it may be billed."""
    if not gateway.cut_off:
        turn.problem = "caller_left"
        return {"status": 499, "message": f"The caller left before {before}."}
    turn.problem = _CODE
    return {"status": 503, "message": f"The gateway shut down before {before}.", "sent": True}


def last_word(turn: Turn) -> Reply:
    """Return what a caller is told who has no part of an answer when the time is over."""
    turn.problem = _CODE
    return problem(503, _MESSAGE, _CODE, retry_after_s=1)


def last_event(turn: Turn, passage: SsePassage) -> bytes:
    """Return the end of a stream that is broken off when the time is over."""
    # An empty line first: the last event may not have been closed.
    return passage.newline + turn.dialect.error_frame(_MESSAGE, _CODE)
