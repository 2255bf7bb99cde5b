"""What is asked of a proof, and the threshold rule of each contract."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec
import numpy as np

from stepdown.core.gold import Gold
from stepdown.core.proofs import Ceiling, ContractKind, CostRow
from stepdown.core.stats import (
    cp_upper,
    fixed_sequence,
    fixed_sequence_of_losses,
    mean_upper,
    selective_ltt,
)
from stepdown.prove.outcomes import Outcome, graded, losses_of, scores_and_wrong

__all__ = [
    "ProofTerms",
    "base",
    "bound_of",
    "counts",
    "lost",
    "threshold_of",
    "tuned_and_certified",
]

_TUNING_SHARE = 0.25


class ProofTerms(msgspec.Struct, frozen=True):
    """What is asked of a proof, and the prices that it can't find in the log.

    `audit_share` of the answered calls go to the teacher as well; `labelling_usd` was paid for the
    labels (0 when they came from the log, None where some of it is unknown); `cpu_usd_hour` is what
    a core costs; `behind` is the hosted model behind the student, if there is one, with its dollars
    per 1,000 of all calls; `cheaper` are other ways to answer, for comparison. `candidates` were
    weighed on the calibration rows, and it was the `attempt`-th training of the task (0: there will
    be no other); `opened` counts how often the test part was opened, for this proof too. The
    novelty gate may refuse the share `novelty` of the calls that would be answered; 0 switches it
    off. `share` is this candidate's part of what the certificates of all may go wrong; 0: all have
    the same. `ceiling` is how often the teacher agreed with itself when it was asked again, `gold`
    what people said of answers; where that is the reference (`gold_certifies`), only rows that
    people judged certify and test.
    """

    budget: float = 0.02
    confidence: float = 0.95
    contract: ContractKind = "joint"
    audit_share: float = 0.02
    labelling_usd: float | None = 0.0
    cpu_usd_hour: float = 0.0
    behind: CostRow | None = None
    reference: str = "the teacher's logged answers"
    cheaper: tuple[CostRow, ...] = ()
    candidates: int = 1
    share: float = 0.0
    attempt: int = 0
    opened: int = 1
    novelty: float = 0.02
    ceiling: Ceiling | None = None
    gold: Mapping[str, Gold] = MappingProxyType({})
    gold_certifies: bool = False

    @property
    def delta(self) -> float:
        """The probability with which this certificate may be wrong.

        The candidates share 1 - confidence (Bonferroni), and training j of a task gets the share
        6/(pi j)^2 of it: over any number of trainings, proved or not, the shares add up to 1, so
        the promise holds for all of them together.
        """
        attempt = 6.0 / (math.pi * self.attempt) ** 2 if self.attempt else 1.0
        return round((1.0 - self.confidence) * attempt * (self.share or 1 / self.candidates), 12)


def tuned_and_certified(
    outcomes: Sequence[Outcome], terms: ProofTerms
) -> tuple[Sequence[Outcome], Sequence[Outcome]]:
    """Return the rows that only tune (selective contract: a quarter) and those that certify.

    The rule may also be tuned on out-of-fold training predictions, but a family hands out none; a
    part of the calibration rows does as well, since the two share no row.
    """
    if terms.contract == "joint":
        return (), outcomes
    # Rows come ordered by time: the draw is random over it, and seeded so that proofs repeat.
    order: list[int] = np.random.default_rng(len(outcomes)).permutation(len(outcomes)).tolist()
    cut = round(_TUNING_SHARE * len(outcomes))
    return [outcomes[at] for at in order[:cut]], [outcomes[at] for at in order[cut:]]


def threshold_of(
    tuning: Sequence[Outcome], rows: Sequence[Outcome], terms: ProofTerms, budget: float
) -> float | None:
    """Return the loosest threshold that the contract's rule certifies at `budget`, or None."""
    if graded(rows):
        scores, _ = scores_and_wrong(rows)
        return fixed_sequence_of_losses(scores, losses_of(rows), budget, terms.delta)
    if terms.contract == "joint":
        return fixed_sequence(*scores_and_wrong(rows), budget, terms.delta)
    return selective_ltt(scores_and_wrong(rows), scores_and_wrong(tuning), budget, terms.delta)


def counts(rows: Sequence[Outcome], threshold: float) -> tuple[int, int]:
    """Return how many rows are accepted at the threshold, and how many of those are wrong."""
    taken = [outcome for outcome in rows if outcome.score >= threshold]
    return len(taken), sum(not outcome.agrees for outcome in taken)


def lost(rows: Sequence[Outcome], threshold: float) -> float:
    """Return the sum of what the rows lose that are accepted at the threshold."""
    return float(losses_of([outcome for outcome in rows if outcome.score >= threshold]).sum())


def bound_of(rows: Sequence[Outcome], threshold: float, terms: ProofTerms) -> float:
    """Return the upper confidence bound of the contract's risk at the threshold."""
    accepted, errors = counts(rows, threshold)
    if graded(rows):
        return mean_upper(lost(rows, threshold), len(rows), terms.delta)
    return cp_upper(errors, base(rows, accepted, terms), terms.delta)


def base(rows: Sequence[Outcome], accepted: int, terms: ProofTerms) -> int:
    """Return how many rows the contract's risk is a share of: all of them, or the accepted."""
    return len(rows) if terms.contract == "joint" else accepted
