"""The choice among certified rungs: by what a call then costs and takes, not by accuracy.

The cost is `core.costs`'s. With latency T of the teacher, a student that answers the share c of the
calls makes a call take p + (1 - c) T: its own time on every call, the teacher's on what it leaves.
"""

from collections.abc import Sequence

import msgspec

from stepdown.core import display
from stepdown.core.costs import cascade_usd, own_usd

__all__ = ["Candidate", "Prices", "choose", "confidence_shares", "expected"]

_SAME_COST = 0.01
_SAME_COVERAGE = 0.005
_FAVOURITE = 0.75


class Prices(msgspec.Struct, frozen=True):
    """What a call costs: the teacher's dollars per 1,000 calls and p50 in milliseconds (None is
    unknown), a CPU core's dollars an hour, the audited share of answered calls."""

    teacher_usd: float | None = None
    teacher_ms: float | None = None
    cpu_usd_hour: float = 0.0
    audit_share: float = 0.0


class Candidate(msgspec.Struct, frozen=True):
    """A rung, a chain or a hosted model as the calibration rows found it.

    `coverage` is the share of calibration rows answered at the certified threshold, 0 without one.
    Of a call's `p50_ms` it waits `waits_ms` for a hosted model, whose price, spread over all calls,
    is `hosted_usd_per_1000` (None: unknown); the rest is our own CPU's. `note` says why it is no
    choice at all, "" where it may be taken.
    """

    name: str
    parameters: int
    size_bytes: int
    agreement: float
    coverage: float
    p50_ms: float
    note: str = ""
    hosted_usd_per_1000: float | None = 0.0
    waits_ms: float = 0.0


def confidence_shares(coverages: Sequence[float]) -> list[float]:
    """Return how the candidates share what their certificates may go wrong; it adds up to 1.

    `coverages` are what training rows say of each. The most promising gets three quarters, and the
    others share the rest alike: a weighted Bonferroni correction (Holm 1979, section 4), as valid
    as equal shares, since calibration rows have no part in it.
    """
    if len(coverages) == 1:
        return [1.0]
    favourite = max(range(len(coverages)), key=coverages.__getitem__)
    rest = (1.0 - _FAVOURITE) / (len(coverages) - 1)
    return [_FAVOURITE if at == favourite else rest for at in range(len(coverages))]


def expected(candidate: Candidate, prices: Prices) -> tuple[float | None, float | None]:
    """Return the dollars per 1,000 calls and the milliseconds a call, teacher included."""
    ms, cpu_ms = None, candidate.p50_ms - candidate.waits_ms
    own = own_usd(cpu_ms, prices.cpu_usd_hour, candidate.hosted_usd_per_1000)
    usd = cascade_usd(prices.teacher_usd, own, candidate.coverage, prices.audit_share)
    if prices.teacher_ms is not None:
        ms = candidate.p50_ms + (1.0 - candidate.coverage) * prices.teacher_ms
    return usd, ms


def choose(candidates: Sequence[Candidate], prices: Prices) -> tuple[int | None, list[str]]:
    """Return which candidate to take (None where none is certified), and a reason for each.

    The cheapest a call; what is within 1 % of its cost (or, where the teacher's price is unknown,
    within half a point of the largest coverage) counts as equal, and then the quickest is taken.
    """
    able = [at for at, one in enumerate(candidates) if not one.note and one.coverage > 0]
    if not able:
        return None, [one.note or "It answers nothing at this budget." for one in candidates]
    costs = {at: expected(candidates[at], prices)[0] for at in able}
    known = {at: cost for at, cost in costs.items() if cost is not None}
    if known:
        least = min(known.values())
        equal = [at for at in able if known[at] <= least * (1 + _SAME_COST)]
    else:
        most = max(candidates[at].coverage for at in able)
        equal = [at for at in able if candidates[at].coverage >= most - _SAME_COVERAGE]
    taken = min(equal, key=lambda at: (_pace(candidates[at], prices), at))
    return taken, [_reason(at, taken, candidates, known, equal) for at in range(len(candidates))]


def _pace(candidate: Candidate, prices: Prices) -> float:
    ms = expected(candidate, prices)[1]
    return candidate.p50_ms if ms is None else ms


def _reason(
    at: int,
    taken: int,
    candidates: Sequence[Candidate],
    known: dict[int, float],
    equal: Sequence[int],
) -> str:
    one = candidates[at]
    if at == taken:
        if not known:
            return "taken: it answers the most calls" + (", quickest" if len(equal) > 1 else "")
        return "taken: the cheapest a call" + (", and quickest of equals" if len(equal) > 1 else "")
    if one.note or one.coverage <= 0:
        return one.note or "It answers nothing at this budget."
    if at in equal:
        return "no cheaper a call than the one taken, and slower"
    if at in known:
        more = (known[at] - known[taken]) / known[taken] if known[taken] else 0.0
        return f"a call costs {display.share(more)} more"
    fewer = candidates[taken].coverage - one.coverage
    return f"it answers {display.share(fewer)} fewer of the calls"
