"""The certificate: the threshold that the calibration rows allow, or what they lack."""

from collections.abc import Sequence

import msgspec

from stepdown.core import display
from stepdown.core.ceilings import standing, too_tight
from stepdown.core.proofs import Certificate
from stepdown.core.stats import rows_needed
from stepdown.core.tasks import Task
from stepdown.prove.contract import (
    ProofTerms,
    bound_of,
    counts,
    lost,
    threshold_of,
    tuned_and_certified,
)
from stepdown.prove.explain import remedy, why
from stepdown.prove.novelty import cutoff_of, gated, promising, refused
from stepdown.prove.outcomes import Outcome, graded

__all__ = ["ceiling", "certify"]

_LEAST_COVERAGE = 0.05


def certify(
    outcomes: Sequence[Outcome], terms: ProofTerms, calls_per_row: float = 1.0
) -> Certificate:
    """Return the certificate that the calibration rows allow under the contract.

    Without one, `why` says what stood in the way and `remedy` what would change it; there it takes
    `calls_per_row` logged calls to gain a calibration row. A threshold that accepts fewer than 5 %
    of the calibration rows is none: it would keep the promise by hardly ever answering. Nor is one
    where most accepted rows are wrong: a joint budget above 5 % would leave room for it.
    """
    if graded(outcomes) and terms.contract != "joint":
        return _joint_only(outcomes, terms)
    tuning, rows, cutoff = _parts(outcomes, terms)
    threshold = threshold_of(tuning, rows, terms, terms.budget)
    bare = _without_threshold(rows, terms)
    accepted, errors = (0, 0) if threshold is None else counts(rows, threshold)
    wrong = _weight_of_errors(rows, threshold, errors)
    reason = _worthless(accepted, wrong, rows, terms)
    if reason:
        return msgspec.structs.replace(
            bare, why=reason, remedy=remedy(tuning, rows, terms, calls_per_row)
        )
    if threshold is None:  # `_worthless` has said so.
        return bare
    passed = msgspec.structs.replace(
        bare,
        threshold=threshold,
        accepted=accepted,
        errors=errors,
        risk=lost(rows, threshold) / len(rows) if graded(rows) else 0.0,
        bound=bound_of(rows, threshold, terms),
    )
    if terms.contract == "joint":
        cutoff = cutoff_of(rows, threshold, terms.novelty)
    return _with_gate(passed, outcomes, cutoff)


def _joint_only(outcomes: Sequence[Outcome], terms: ProofTerms) -> Certificate:
    return Certificate(
        terms.contract,
        terms.budget,
        terms.confidence,
        len(outcomes),
        None,
        why="What a summary loses is a number between 0 and 1, and the selective contract's rule "
        "knows right and wrong alone.",
        remedy="Use --contract joint.",
        graded=True,
    )


def _without_threshold(rows: Sequence[Outcome], terms: ProofTerms) -> Certificate:
    return Certificate(
        terms.contract,
        terms.budget,
        terms.confidence,
        len(rows),
        None,
        rows_needed=rows_needed(terms.budget, terms.delta),
        delta=terms.delta,
        candidates=terms.candidates,
        attempt=terms.attempt,
        graded=graded(rows),
    )


def _parts(
    outcomes: Sequence[Outcome], terms: ProofTerms
) -> tuple[Sequence[Outcome], Sequence[Outcome], float | None]:
    """Return the rows that tune, those that certify, and the cut-off that both stand behind."""
    tuning, rows = tuned_and_certified(outcomes, terms)
    if terms.contract == "joint":
        return tuning, rows, None
    cutoff = cutoff_of(tuning, promising(tuning, terms.budget), terms.novelty)
    return gated(tuning, cutoff), gated(rows, cutoff), cutoff


def _with_gate(
    certificate: Certificate, outcomes: Sequence[Outcome], cutoff: float | None
) -> Certificate:
    """Return the certificate with the gate and what it costs, counted on all calibration rows."""
    threshold = certificate.threshold
    if threshold is None:
        return certificate
    novel = [outcome for outcome in outcomes if refused(outcome, cutoff)]
    return msgspec.structs.replace(
        certificate,
        novelty_cutoff=cutoff,
        novelty_refused=len(novel) / len(outcomes),
        novelty_cost=counts(novel, threshold)[0] / len(outcomes),
    )


def _weight_of_errors(rows: Sequence[Outcome], threshold: float | None, errors: int) -> float:
    """Return how many errors the accepted rows are worth: of graded ones, what they lose."""
    return lost(rows, threshold) if threshold is not None and graded(rows) else errors


def _worthless(accepted: int, errors: float, rows: Sequence[Outcome], terms: ProofTerms) -> str:
    """Return why a threshold with these counts is not worth a route, or ""."""
    if not accepted:
        return why(rows, terms)
    if errors > accepted / 2:
        return (
            f"Within a budget of {display.percent(terms.budget)} the student would answer "
            f"{accepted:,} of {len(rows):,} calibration rows, and {errors:,.0f} of those "
            "differently from the reference: it is wrong more often than right."
        )
    if accepted >= _LEAST_COVERAGE * len(rows):
        return ""
    return (
        f"Within a budget of {display.percent(terms.budget)} the student could answer only "
        f"{display.share(accepted / len(rows))} of the calibration rows, too few to be worth a "
        f"route (the least is {display.percent(_LEAST_COVERAGE)})."
    )


def ceiling(task: Task, terms: ProofTerms) -> str:
    """Return why the budget is tighter than the teacher agrees with itself, or "".

    By its answers to inputs that were asked again for this, or else to those that the log repeats.
    """
    return too_tight(standing(terms.ceiling, task), terms.budget)
