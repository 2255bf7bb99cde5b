"""Why nothing was certified, and what would change it, in sentences."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from stepdown.core import display
from stepdown.core.records import same_value
from stepdown.core.stats import GRID, accepted_and_wrong, cp_upper, rows_needed
from stepdown.prove.contract import ProofTerms, base, counts, lost, threshold_of
from stepdown.prove.outcomes import Outcome, graded, scores_and_wrong

__all__ = ["remedy", "why"]

_WORTHWHILE = 0.3
_BUDGETS = (0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3)
_MANY_ROWS = 1_000_000


def why(rows: Sequence[Outcome], terms: ProofTerms) -> str:
    """Return one sentence on what stood in the way of any threshold."""
    needed = rows_needed(terms.budget, terms.delta)
    budget = display.percent(terms.budget)
    if len(rows) < needed:
        return (
            f"Even without an error, a budget of {budget} takes at least {needed:,} calibration "
            f"rows; there are {len(rows):,}."
        )
    scores, wrong = scores_and_wrong(rows)
    if not np.isfinite(scores).any():
        reasons = Counter(outcome.prediction.abstained or "no reason" for outcome in rows)
        return (
            f"The student abstained on every calibration row (mostly: "
            f"{reasons.most_common(1)[0][0]})."
        )
    accepted, errors = accepted_and_wrong(scores, wrong, GRID)
    # The strictest thresholds accept a handful: the first that could pass without errors speaks.
    of = np.full(len(GRID), len(rows)) if terms.contract == "joint" else accepted
    at = int(np.argmax((accepted > 0) & (of >= needed)))
    taken, bad = int(accepted[at]), int(errors[at])
    if not taken:
        most = int(accepted[-1])
        return (
            f"The student answers {most:,} of {len(rows):,} calibration rows at all, and "
            f"{needed:,} answered ones are needed for a budget of {budget}."
        )
    if graded(rows):
        mean = lost(rows, float(GRID[at])) / taken
        return (
            f"The most confident {display.share(taken / len(rows))} of the calibration rows lose "
            f"{display.share(mean)} on average already, and the budget is {budget} of all calls."
        )
    bound = cp_upper(bad, int(of[at]), terms.delta)
    return (
        f"The most confident {display.share(taken / len(rows))} of the calibration rows already "
        f"hold {display.plural(bad, 'error')} in {taken:,}: the risk could be "
        f"{display.share(bound)}, and the budget is {budget}."
    )


def remedy(
    tuning: Sequence[Outcome],
    rows: Sequence[Outcome],
    terms: ProofTerms,
    calls_per_row: float,
) -> str:
    """Return sentences on what would certify: a budget, more calls, the fields to look at.

    `calls_per_row` says how many logged calls it takes to gain one calibration row.
    """
    sentences: list[str] = []
    possible = _possible_budget(tuning, rows, terms)
    if possible is not None:
        sentences.append(
            f"A budget of {display.percent(possible)} would pass today and answer at least "
            f"{display.percent(_WORTHWHILE)} of the calls."
        )
    more = _more_rows(rows, terms)
    if terms.gold_certifies:
        judged = f"About {more:,} more" if more is not None else "More"
        sentences.append(f"{judged} calibration rows judged by people would do.")
    elif more is not None:
        sentences.append(
            f"About {math.ceil(more * calls_per_row):,} more calls ({more:,} of them to calibrate "
            "with) would do at the quality seen."
        )
    worst = _worst(rows)
    if worst:
        sentences.append(f"The disagreements are most often in {worst}.")
    return " ".join(sentences) or "More calls, or a task whose answers stand in its inputs."


def _possible_budget(
    tuning: Sequence[Outcome], rows: Sequence[Outcome], terms: ProofTerms
) -> float | None:
    for budget in _BUDGETS:
        threshold = threshold_of(tuning, rows, terms, budget) if budget > terms.budget else None
        if threshold is not None and counts(rows, threshold)[0] >= _WORTHWHILE * len(rows):
            return budget
    return None


def _more_rows(rows: Sequence[Outcome], terms: ProofTerms) -> int | None:
    """Return how many more rows certify the most confident 30 % at the error rate seen there."""
    if graded(rows):
        return None
    scores, wrong = scores_and_wrong(rows)
    accepted, errors = accepted_and_wrong(scores, wrong, GRID)
    wide = np.flatnonzero(accepted >= _WORTHWHILE * max(len(rows), 1))
    if not len(wide):
        return None
    taken, bad = int(accepted[wide[0]]), int(errors[wide[0]])
    now = base(rows, taken, terms)
    size = now
    while cp_upper(math.ceil(size * bad / now), size, terms.delta) > terms.budget:
        size = math.ceil(size * 1.1) + 1
        if size > _MANY_ROWS:
            return None
    more = math.ceil((size - now) * len(rows) / now)
    return more or None


def _worst(rows: Sequence[Outcome]) -> str:
    """Name up to three fields (or, of a single field, values) that hold the disagreements."""
    if graded(rows):
        return ""
    fields: Counter[str] = Counter()
    values: Counter[str] = Counter()
    wrong = [outcome for outcome in rows if not outcome.agrees]
    for outcome in wrong:
        said, answered = outcome.example.record, outcome.prediction.record
        for path in said.keys() | answered.keys():
            if not same_value(said.get(path), answered.get(path)):
                fields[path] += 1
                values[str(said.get(path))] += 1
    named = fields if len(fields) > 1 else values
    listed = sorted(named.items(), key=lambda item: (-item[1], item[0]))[:3]
    return ", ".join(
        f"{display.shortened(display.visible(name), 40)} ({count:,} of {len(wrong):,})"
        for name, count in listed
    )
