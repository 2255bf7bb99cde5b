"""A call of no known task: answered from the tier that its score says, or from one above it."""

import random
from typing import Any

import msgspec

from stepdown.core.calls import Request
from stepdown.core.routes import Decision
from stepdown.serve.answering import ask_upstream, heard, send_answer, upstream_body
from stepdown.serve.capture import Turn
from stepdown.serve.chain import held_back
from stepdown.serve.decide import Verdict
from stepdown.serve.dialects import CHAT
from stepdown.serve.gateway import Gateway, new_turn
from stepdown.serve.relay import relay_quietly
from stepdown.serve.replies import Receive, Send
from stepdown.serve.tiers import frontier_only, general, place
from stepdown.serve.translated import ask_translated

__all__ = ["answer_untasked", "goes_by_score", "placed"]

_OK = 200


async def answer_untasked(
    gateway: Gateway, turn: Turn, verdict: Verdict, receive: Receive, send: Send
) -> None:
    """Answer a call of no known task from the tier that its score says, or from one above it."""
    request, routing = turn.request, gateway.settings.routing
    assert request is not None
    if not goes_by_score(gateway, verdict):
        await ask_upstream(gateway, turn, verdict, receive, send)
    else:
        found = place(turn, request, routing, gateway.chains, gateway.conversations)
        turn.decision = msgspec.structs.replace(verdict.decision, tier=found.tier)
        turn.way = found.way
        if found.tier == "frontier" or turn.dialect is CHAT:
            await ask_upstream(gateway, turn, verdict, receive, send)
        else:
            await _in_chat(gateway, turn, verdict, receive, send)
        if turn.status == _OK:
            gateway.conversations.answered(found.conversation, turn.decision.tier)
    _compare(gateway, turn)


def goes_by_score(gateway: Gateway, verdict: Verdict) -> bool:
    """Say whether a call of no known task has its tier from the score."""
    unknown = verdict.task is None and verdict.decision.reason == "no_route"
    return unknown and gateway.settings.routing.complexity is not None


def placed(gateway: Gateway, turn: Turn, request: Request) -> dict[str, Any]:
    """Return what the score says of a request, for `/v1/route`."""
    found = place(turn, request, gateway.settings.routing, gateway.chains, gateway.conversations)
    return {"tier": found.tier, "task_type": found.task_type, "complexity": found.score}


async def _in_chat(
    gateway: Gateway, turn: Turn, verdict: Verdict, receive: Receive, send: Send
) -> None:
    """Answer in the caller's dialect from a model that speaks chat alone, or else from upstream."""
    assert turn.request is not None
    cheaper = [link for link in turn.way if link.tier != "frontier"]
    turn.way = turn.way[len(cheaper) :]
    until = turn.begun + gateway.settings.timeouts.deadline / 2
    asking = ask_translated(gateway, turn, turn.request, cheaper, until)
    for found in await heard(gateway, turn, asking, receive):
        if found is None:
            turn.decision = msgspec.structs.replace(verdict.decision, tier="frontier")
            await ask_upstream(gateway, turn, verdict, receive, send)
            return
        turn.decision = msgspec.structs.replace(verdict.decision, tier=found.tier)
        turn.model = found.model
        await send_answer(gateway, turn, found.answer, found.usage, send)


def _compare(gateway: Gateway, turn: Turn) -> None:
    """Ask another tier too for a random share of what could go to either: the frontier where a
    cheaper one answered, else mid. What is learnt from are such pairs."""
    request, decision, chains = turn.request, turn.decision, gateway.chains
    if turn.status != _OK or random.random() >= gateway.settings.routing.compare_share:
        return
    if request is None or decision is None or frontier_only(request, turn.chat):
        return
    cheaper = tuple(one for one in general(chains, request) if one.tier == "mid")
    way = cheaper if decision.tier == "frontier" else chains.frontier
    if not cheaper or held_back(way):
        return
    address = chains.frontier_of(turn.dialect)[0].upstream.address
    if way[0].api_key is None and way[0].upstream.address != address:
        return  # the caller's own key is for the address of its dialect alone
    other = new_turn(turn.method, CHAT.path, turn.headers)
    other.body = other.chat = turn.chat
    other.request, other.way, other.audit_of = request, way[:1], turn.id
    other.decision = Decision("relayed", "shadow", way[0].tier)
    body = upstream_body(gateway, other, None) or (turn.chat if way[0].model else None)
    if body is not None:
        gateway.beside(relay_quietly(gateway, other, body))
