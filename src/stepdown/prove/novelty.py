"""The novelty gate: the cut-off beyond which an input is left to the teacher, and what it costs.

Under the joint contract the threshold is certified as if there were no gate. A gate only takes
answers away, so at any cut-off, however chosen, the joint risk is at most that without it, row by
row. Under the selective contract taking answers away can raise the risk of the others: there the
cut-off is chosen on the rows that only tune, and the others are certified behind the gate.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from stepdown.core.stats import GRID, NEVER, accepted_and_wrong
from stepdown.prove.outcomes import Outcome, scores_and_wrong

__all__ = ["cutoff_of", "gated", "promising", "refused"]


def cutoff_of(rows: Sequence[Outcome], threshold: float, share: float) -> float | None:
    """Return the novelty above which nothing is answered; None where there is no gate.

    Of the rows that are answered at `threshold`, the ceil((1 - `share`)(n + 1))-th smallest
    novelty: of further calls like them that would be answered, the gate refuses at most `share` on
    average (Vovk et al., *Algorithmic Learning in a Random World*, 2005, §2.2), or 1 in n + 1 where
    that is more. There is no gate where `share` is 0, or the student says nothing of novelty.
    """
    found = sorted(row.prediction.novelty for row in rows if row.score >= threshold)
    if share <= 0 or not any(row.prediction.novelty > 0 for row in rows) or not found:
        return None
    rank = math.ceil((1 - share) * (len(found) + 1))
    return found[min(rank, len(found)) - 1]


def refused(row: Outcome, cutoff: float | None) -> bool:
    """Say whether the gate leaves a row to the teacher."""
    return cutoff is not None and row.prediction.novelty > cutoff


def gated(rows: Sequence[Outcome], cutoff: float | None) -> list[Outcome]:
    """Return the rows as they are behind the gate: those that it refuses are never answered."""
    return [
        msgspec.structs.replace(row, score=NEVER) if refused(row, cutoff) else row for row in rows
    ]


def promising(tuning: Sequence[Outcome], budget: float) -> float:
    """Return the loosest threshold whose measured selective risk is within budget; 0 without one.

    A guess at the threshold to come, from rows that certify nothing.
    """
    accepted, errors = accepted_and_wrong(*scores_and_wrong(tuning), GRID)
    within = np.flatnonzero((accepted > 0) & (errors <= budget * accepted))
    return float(GRID[within[-1]]) if len(within) else 0.0
