"""People's word on the test rows: whose error it is where student and teacher differ."""

from collections.abc import Mapping, Sequence

import msgspec

from stepdown.core.datasets import Example
from stepdown.core.gold import Gold
from stepdown.core.losses import CLOSE, Loss
from stepdown.core.proofs import Economics, GoldResult, Interval
from stepdown.prove.measure import interval
from stepdown.prove.outcomes import Outcome

__all__ = ["against_gold", "by_gold", "qualities_by_gold"]


class _Right(msgspec.Struct, frozen=True):
    """Of one row, by people's word: is the student right, is the teacher, and is it answered."""

    student: bool
    teacher: bool
    answered: bool


def by_gold(examples: Sequence[Example], gold: Mapping[str, Gold]) -> list[Example]:
    """Return the examples that were drawn at random and judged, with people's answers.

    A row that people looked at for a doubt says nothing of the others, so it is left out. Where no
    answer is right any answer is wrong.
    """
    judged = [(example, gold.get(example.id)) for example in examples]
    return [
        msgspec.structs.replace(
            example, record=word.record if word.known else {}, known=word.known, soft={}
        )
        for example, word in judged
        if word is not None and word.why == "random" and word.verdict != "skipped"
    ]


def against_gold(
    outcomes: Sequence[Outcome], gold: Mapping[str, Gold], threshold: float | None, loss: Loss
) -> GoldResult | None:
    """Return who is right by people's word on the test rows; None where none was judged."""
    shown = {row.id: row for row in by_gold([outcome.example for outcome in outcomes], gold)}
    above = float("inf") if threshold is None else threshold
    rows = [
        _judged(outcome, shown[outcome.example.id], outcome.score >= above, loss)
        for outcome in outcomes
        if outcome.example.id in shown
    ]
    if not rows:
        return None
    answered = [row for row in rows if row.answered]
    words = [gold.get(outcome.example.id) for outcome in outcomes]
    return GoldResult(
        rows=len(rows),
        teacher=interval(sum(row.teacher for row in rows), len(rows)),
        student=interval(sum(row.student for row in rows), len(rows)),
        teacher_answered=interval(sum(row.teacher for row in answered), len(answered)),
        student_answered=interval(sum(row.student for row in answered), len(answered)),
        served=interval(
            sum(row.student if row.answered else row.teacher for row in rows), len(rows)
        ),
        student_alone=sum(row.student and not row.teacher for row in rows),
        teacher_alone=sum(row.teacher and not row.student for row in rows),
        both_wrong=sum(not row.teacher and not row.student for row in rows),
        skipped=sum(word is not None and word.verdict == "skipped" for word in words),
    )


def _judged(outcome: Outcome, truth: Example, answered: bool, loss: Loss) -> _Right:
    said, got = outcome.example, outcome.prediction.record
    if not truth.known:
        # Where no answer is right, only one that is none is: the teacher's own refusal, say.
        return _Right(student=False, teacher=not said.known, answered=answered)
    return _Right(
        student=bool(got) and loss(got, truth) <= CLOSE,
        teacher=said.known and loss(said.record, truth) <= CLOSE,
        answered=answered,
    )


def qualities_by_gold(economics: Economics, gold: GoldResult | None) -> Economics:
    """Return the bill with the qualities that people's word gives; what nobody judged has none."""
    known: dict[str, Interval] = {}
    if gold is not None:
        known = {"teacher": gold.teacher, "cascade": gold.served, "student alone": gold.student}
    rows = tuple(
        msgspec.structs.replace(
            row, quality=known[row.name].estimate if row.name in known else None
        )
        for row in economics.rows
    )
    return msgspec.structs.replace(economics, rows=rows)
