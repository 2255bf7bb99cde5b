"""Which tier takes a call of no known task, and that its conversation stays where it began.

The tier comes from the score that was fitted on the team's own calls. One that is not there, or has
nobody to ask, leaves the call to the next higher; the frontier takes everything.
"""

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from stepdown.core.calls import Request
from stepdown.core.routes import Tier
from stepdown.core.tiering import TaskType, route_to_model, task_type_of
from stepdown.serve.callers import credentials
from stepdown.serve.capture import Turn
from stepdown.serve.chain import Chain, Chains, Link
from stepdown.serve.headers import header
from stepdown.serve.settings import Routing
from stepdown.wire.responses import STORED

__all__ = [
    "HAS_DOCUMENT",
    "Conversations",
    "Place",
    "frontier_only",
    "general",
    "is_kept_there",
    "place",
]

_RANK: dict[Tier, int] = {"small": 0, "mid": 1, "frontier": 2}

_FRONTIER_FIELDS = frozenset(
    (
        "audio",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "modalities",
        "conversation",
        "prediction",
        "previous_response_id",
        "prompt",
        "reasoning",
        "reasoning_effort",
        "thinking",
        "top_logprobs",
        "web_search_options",
    )
)
"""Fields that a cheaper model may not know, or would take for something else."""
_STORED = frozenset(STORED)

HAS_DOCUMENT = re.compile(rb'"(?:file|input_file|document)"')
"""A body with a file in it, which may be text to a student, and need not be to another model."""


class Conversations:
    """The tier that each conversation was last answered from; it may go up and never down.

    The `most` recent are kept, each for so many `seconds` after its last answer.
    """

    def __init__(
        self, most: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[bytes, tuple[Tier, float]] = OrderedDict()

    def tier(self, conversation: bytes) -> Tier | None:
        """Return where a conversation is, or None where it is not known."""
        found = self._kept.get(conversation)
        return found[0] if found and found[1] > self._clock() else None

    def answered(self, conversation: bytes, tier: Tier) -> None:
        """Remember who answered."""
        highest = _higher(tier, self.tier(conversation))
        self._kept[conversation] = (highest, self._clock() + self._seconds)
        self._kept.move_to_end(conversation)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)


class Place(msgspec.Struct, frozen=True):
    """Where a call of no known task goes: along `way`, which begins at `tier`.

    `score` is None where it can't be said.
    """

    tier: Tier
    way: Chain
    task_type: TaskType
    score: float | None
    conversation: bytes


def place(
    turn: Turn, request: Request, routing: Routing, chains: Chains, kept: Conversations
) -> Place:
    """Return where a call of no known task goes."""
    conversation = _conversation(turn, request)
    kind, score = task_type_of(request), _score(routing, request)
    wanted = route_to_model(kind, score, routing.thresholds, routing.types)
    lowest = _RANK[_higher(wanted, kept.tier(conversation))]
    links = [] if frontier_only(request, turn.chat) else general(chains, request)
    way = (*(one for one in links if _RANK[one.tier] >= lowest), *chains.frontier_of(turn.dialect))
    return Place(way[0].tier if way else "frontier", way, kind, score, conversation)


def is_kept_there(turn: Turn) -> bool:
    """Say whether a request goes on from what is stored at the provider, at one address."""
    params = turn.request.params if turn.request is not None else {}
    return not _STORED.isdisjoint(params)


def general(chains: Chains, request: Request) -> list[Link]:
    """Return who below the frontier takes a request like this."""
    return [
        link
        for link in (*chains.small, *chains.mid)
        if link.general and (link.tools or not request.tools.tools)
    ]


def frontier_only(request: Request, chat: bytes) -> bool:
    """Say whether a request wants what cheaper models are not known to honour.

    `chat` is its body. Parts that are no text, several answers, log-probabilities, reasoning, tools
    that the provider runs itself, and what is stored there.
    """
    params = request.params
    return (
        not _FRONTIER_FIELDS.isdisjoint(params)
        or params.get("n", 1) not in (1, None)
        or params.get("store") is True
        or any(tool.kind != "function" for tool in request.tools.tools)
        or any(message.other_parts for message in request.messages)
        or HAS_DOCUMENT.search(chat) is not None
    )


def _score(routing: Routing, request: Request) -> float | None:
    if routing.complexity is None:
        return None
    try:
        score = routing.complexity(request)
    except Exception:  # noqa: BLE001 - a score is a help; without one the frontier answers, as it always did
        return None
    return score if score is not None and 0.0 <= score <= 1.0 else None


def _higher(tier: Tier, other: Tier | None) -> Tier:
    return tier if other is None or _RANK[tier] >= _RANK[other] else other


def _conversation(turn: Turn, request: Request) -> bytes:
    """Return what a conversation is known by: the session that the caller names, else how it began;
    together with the caller's key, so that nobody meets another's."""
    digest = hashlib.sha256()
    for key in credentials(turn.headers):
        digest.update(key + b"\0")
    session = header(turn.headers, b"x-stepdown-session")
    if session:
        digest.update(b"session\0" + session.encode("utf-8", "replace"))
        return digest.digest()
    for message in request.messages:
        said = f"{message.role}\0{message.text}\0"
        digest.update(said.encode("utf-8", "replace"))
        if message.role == "user":
            break
    return digest.digest()
