"""The ceiling of a teacher: how often it agrees with itself, and the budgets that rules out."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from stepdown.core import display
from stepdown.core.proofs import Ceiling, Interval
from stepdown.core.records import same_record, same_value
from stepdown.core.stats import cp_interval, mean_upper
from stepdown.core.tasks import Task

__all__ = ["Answers", "ceiling_of", "logged_ceiling", "standing", "too_tight"]

Answers = Sequence[Mapping[str, Any] | None]
"""A teacher's answers to one item, asked several times; None where one is no label."""

_LEAST_ITEMS = 20
_TAIL = 0.025


def ceiling_of(items: Sequence[Answers], teacher: str = "", made_at: str = "") -> Ceiling | None:
    """Return how often the teacher answers alike; None without an item asked twice.

    Answers that are no labels agree with each other and with no label.
    """
    asked = [answers for answers in items if len(answers) > 1]
    if not asked:
        return None
    shares = [_pairs_alike([_same(*pair) for pair in combinations(a, 2)]) for a in asked]
    paths = sorted({path for answers in asked for one in answers for path in one or ()})
    fields = [(path, _agreement(_of_field(asked, path))) for path in paths]
    # Of one field alone there is nothing to say that the whole does not say.
    shown = tuple(fields) if len(fields) > 1 else ()
    times = max(map(len, asked))
    return Ceiling(_agreement(shares), len(asked), times, teacher, shown, made_at)


def _same(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> bool:
    if a is None or b is None:
        return a is b
    return same_record(dict(a), dict(b))


def _of_field(items: Sequence[Answers], path: str) -> list[float]:
    shares: list[float] = []
    for answers in items:
        values = [one.get(path) for one in answers if one is not None]
        if len(values) > 1 and any(value is not None for value in values):
            shares.append(_pairs_alike([same_value(*pair) for pair in combinations(values, 2)]))
    return shares


def _pairs_alike(pairs: Sequence[bool]) -> float:
    return sum(pairs) / len(pairs)


def _agreement(shares: Sequence[float]) -> Interval:
    """Return the mean with its 95 % interval: exact (Clopper-Pearson) where each is 0 or 1.

    Several pairs of one item are no independent draws: their mean is one draw between 0 and 1, and
    the interval is then Hoeffding-Bentkus's.
    """
    total, agreed = len(shares), sum(shares)
    if not total:
        return Interval(0, 0, 0.0, 0.0, 1.0)
    if all(share in (0.0, 1.0) for share in shares):
        low, high = cp_interval(round(agreed), total)
    else:
        low = 1.0 - mean_upper(total - agreed, total, _TAIL)
        high = mean_upper(agreed, total, _TAIL)
    return Interval(sum(share == 1.0 for share in shares), total, agreed / total, low, high)


def logged_ceiling(task: Task) -> Ceiling | None:
    """Return the ceiling that the log itself tells, from inputs that stand in it more than once."""
    repeats = task.self_agreement_repeats
    if task.self_agreement is None or not repeats:
        return None
    agreed = round(task.self_agreement * repeats)
    agreement = Interval(agreed, repeats, task.self_agreement, *cp_interval(agreed, repeats))
    return Ceiling(agreement, repeats)


def standing(asked: Ceiling | None, task: Task) -> Ceiling | None:
    """Return the ceiling that counts: of what was asked again if that is enough, else the log's."""
    return asked if asked and asked.items >= _LEAST_ITEMS else logged_ceiling(task)


def too_tight(ceiling: Ceiling | None, budget: float) -> str:
    """Return why the budget is tighter than the teacher agrees with itself, or "".

    It has to be plain: of at least 20 items, the upper end of the 95 % interval of the agreement
    leaves more disagreement than the budget.
    """
    if ceiling is None or ceiling.items < _LEAST_ITEMS:
        return ""
    agreement = ceiling.agreement
    least = 1.0 - agreement.high
    if least <= budget:
        return ""
    return (
        f"The teacher gives {display.plural(ceiling.items, 'repeated input')} the same answer in "
        f"only {display.share(agreement.estimate)} of the cases (95 % interval "
        f"{display.share_range(agreement.low, agreement.high)}), so it disagrees with itself in at "
        f"least {display.share(least)}: more than a budget of {display.percent(budget)}, which "
        f"would promise more than it keeps; the least --budget that this leaves open is "
        f"{_possible(least):g}."
    )


def _possible(least: float) -> float:
    """Return the disagreement rounded up to a tenth of a percent."""
    return round(-(-round(least * 1e6) // 1000) / 1000, 3)
