"""What a rung may be worth, from its rehearsed guesses alone: an estimate, not a promise.

Calibration rows stay unseen until a rung is certified; whether to climb on is decided by this.
"""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from stepdown.core.datasets import Example
from stepdown.core.losses import CLOSE, Loss, exact_loss
from stepdown.core.ports import Rehearsed

__all__ = ["Estimate", "estimate"]

_LEAST_ROWS = 30


class Estimate(msgspec.Struct, frozen=True):
    """Shares of the `rows` rehearsed: guessed as the teacher did, and answered at the budget.

    `threshold` is the confidence down to which they are, None where none is.
    """

    rows: int
    agreement: float
    coverage: float
    threshold: float | None = None


def estimate(
    rehearsed: Mapping[str, Rehearsed],
    examples: Sequence[Example],
    budget: float,
    loss: Loss = exact_loss,
) -> Estimate | None:
    """Count agreement, and the largest coverage with a mean loss of at most `budget` over all rows.

    None with fewer than 30 rehearsed rows: a family need not rehearse.
    """
    pairs = [(rehearsed[e.id], e) for e in examples if e.id in rehearsed]
    if len(pairs) < _LEAST_ROWS:
        return None
    lost = np.array([loss(guess.record, e) for guess, e in pairs])
    scores = np.array([-1.0 if g.confidence is None else g.confidence for g, _ in pairs])
    order = np.argsort(-scores, kind="stable")
    fits = (np.cumsum(lost[order]) <= budget * len(pairs)) & (scores[order] >= 0)
    answered = int(np.flatnonzero(fits)[-1]) + 1 if fits.any() else 0
    threshold = float(scores[order][answered - 1]) if answered else None
    return Estimate(len(pairs), float((lost <= CLOSE).mean()), answered / len(pairs), threshold)
