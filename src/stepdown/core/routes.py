"""Where a request may go, and what became of it (DESIGN §3.3)."""

from typing import Literal

import msgspec

__all__ = ["Decision", "DecisionKind", "Mode", "Policy", "Reason", "Route", "Tier"]

Tier = Literal["small", "mid", "frontier"]
DecisionKind = Literal["answered", "escalated", "relayed", "bypassed"]
Reason = Literal[
    "confident",
    "low_confidence",
    "novel",
    "contract",
    "unsupported_param",
    "no_route",
    "shadow",
    "canary_off",
    "drift",
    "student_error",
    "forced",
]
Mode = Literal["live", "canary", "shadow", "off"]


class Route(msgspec.Struct, frozen=True):
    """For one task: the student that answers, above which confidence, for which share of calls.

    A route exists only with a passed proof. `share` is 1.0 in mode live, and the canary's share in
    mode canary. `previous` is the route it replaced, for rollback. Inputs whose novelty is above
    `novelty_cutoff` go upstream (None: none do).
    """

    task: str
    student: str
    proof: str
    threshold: float
    mode: Mode = "live"
    share: float = 1.0
    previous: "Route | None" = None
    novelty_cutoff: float | None = None


class Policy(msgspec.Struct, frozen=True):
    """All routes, by task id; `generation` grows by one with every change (compare-and-swap)."""

    generation: int = 0
    routes: dict[str, Route] = {}


class Decision(msgspec.Struct, frozen=True):
    """What happened to one request, and why."""

    kind: DecisionKind
    reason: Reason
    tier: Tier
    task: str = ""
    student: str = ""
    confidence: float | None = None
