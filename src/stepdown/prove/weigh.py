"""Weighing one candidate on the calibration rows: what it would answer, how well and how fast."""

from collections.abc import Sequence

import msgspec

from stepdown.core.datasets import Example
from stepdown.core.losses import Loss, exact_loss
from stepdown.core.ports import Progress, Student, silent
from stepdown.core.proofs import Certificate
from stepdown.prove.certify import certify
from stepdown.prove.contract import ProofTerms
from stepdown.prove.latency import measure_latency
from stepdown.prove.novelty import gated
from stepdown.prove.outcomes import answer

__all__ = ["Weighed", "weigh"]

_TIMED = 200


class Weighed(msgspec.Struct, frozen=True):
    """A candidate's certificate, and shares of the calibration rows: as the teacher, answered."""

    certificate: Certificate
    agreement: float
    coverage: float
    p50_ms: float


def weigh(
    student: Student,
    calibration: Sequence[Example],
    terms: ProofTerms,
    progress: Progress = silent,
    loss: Loss = exact_loss,
) -> Weighed:
    """Certify a candidate under `terms`, whose `candidates` counts all that are weighed."""
    outcomes = answer(student, calibration, progress, "weighing", loss)
    certificate = certify(outcomes, terms)
    outcomes = gated(outcomes, certificate.novelty_cutoff)
    rows = max(len(outcomes), 1)
    above = float("inf") if certificate.threshold is None else certificate.threshold
    timed = measure_latency(student, [e.input for e in calibration[:_TIMED]], None)
    return Weighed(
        certificate,
        sum(outcome.agrees for outcome in outcomes) / rows,
        sum(outcome.score >= above for outcome in outcomes) / rows,
        timed.p50_ms,
    )
