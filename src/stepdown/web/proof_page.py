"""A proof as one HTML page: the verdict first, then everything a reader needs to judge it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from markupsafe import Markup

from stepdown.core import display
from stepdown.core.proofs import Confusion, Interval, Proof, shared_confidence
from stepdown.core.summaries import promise, proof_headline
from stepdown.core.tasks import Task
from stepdown.web.page import html_page
from stepdown.web.plots import (
    Axis,
    Dot,
    Mark,
    Series,
    line_plot,
    reliability_plot,
    scatter_plot,
)

__all__ = ["proof_page"]

_SLICES = 20
_CONFUSIONS = 40
_MATRIX_LABELS = 8


class Matrix(msgspec.Struct, frozen=True):
    """Disagreements of one field as a square: rows said by the teacher, columns by the student."""

    field: str
    labels: tuple[str, ...]
    cells: tuple[tuple[tuple[str, int], ...], ...]


def proof_page(proof: Proof, task: Task | None, *, version: str) -> str:
    """Return the whole page; without the task its volume and verdict are left out."""
    return html_page(
        "proof.html.jinja",
        shared_confidence=shared_confidence(proof.certificate),
        title=f"Proof for {proof.task_name or proof.task}",
        proof=proof,
        task=task,
        headline=proof_headline(proof),
        promise=promise(proof),
        quality=_quality(proof),
        people=_people(proof),
        curve=_curve(proof),
        reliability=reliability_plot(
            "reliability",
            "Reliability diagram",
            [(one.confidence, one.agreement, one.count) for one in proof.test.bins],
        ),
        cost_quality=_cost_quality(proof),
        unplaced=[
            row for row in proof.economics.rows if row.usd_per_1000 is None or row.quality is None
        ],
        confusions=proof.test.confusions[:_CONFUSIONS],
        matrix=_matrix(proof.test.confusions),
        first_slices=proof.test.slices[:_SLICES],
        other_slices=proof.test.slices[_SLICES:],
        extra=[(name, _shown(value)) for name, value in sorted(proof.extra.items())],
        made_at=proof.made_at,
        version=version,
    )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _quality(proof: Proof) -> list[tuple[str, str, Interval]]:
    test = proof.test
    return [
        ("Coverage", f"calls that the {proof.answerer} answers by itself", test.coverage),
        ("Agreement", "if it answered every call", test.agreement),
        ("Joint risk", _risk_words(proof)[0], test.joint_risk),
        ("Selective risk", _risk_words(proof)[1], test.selective_risk),
    ]


def _people(proof: Proof) -> list[tuple[str, str, Interval]]:
    """Return what people's word on test rows says of the teacher, the student and both."""
    gold = proof.gold
    if gold is None:
        return []
    return [
        ("Teacher", "right", gold.teacher),
        ("Student", "right, if it answered every call", gold.student),
        ("Student, where it answers", "right", gold.student_answered),
        ("Teacher, on the same rows", "right", gold.teacher_answered),
        ("What callers get", "right: the student where it is sure, else the teacher", gold.served),
    ]


def _risk_words(proof: Proof) -> tuple[str, str]:
    if proof.certificate.graded:
        return "mean loss over all calls", "mean loss of the answered calls"
    return "of all calls, answered and different", "of the answered calls, different"


def _curve(proof: Proof) -> Markup:
    certificate, test = proof.certificate, proof.test
    points = sorted(test.curve, key=lambda point: point.coverage)
    of_all, of_answered = _risk_words(proof)
    joint = Series(
        f"Joint risk: {of_all}",
        [(point.coverage, point.joint_risk) for point in points],
    )
    selective = Series(
        f"Selective risk: {of_answered}",
        [(point.coverage, point.selective_risk) for point in points],
    )
    ordered = [joint, selective] if certificate.contract == "joint" else [selective, joint]
    mark = None
    risk = test.joint_risk if certificate.contract == "joint" else test.selective_risk
    if certificate.threshold is not None:
        words = (
            f"Threshold {certificate.threshold:.4g}: {display.share(test.coverage.estimate)} "
            f"answered, risk {display.share(risk.estimate)}"
        )
        mark = Mark(test.coverage.estimate, risk.estimate, words)
    axes = (
        Axis("Coverage: share of calls answered", 0.0, 1.0),
        Axis("Risk", 0.0, _highest(ordered, certificate.budget)),
    )
    limit = (certificate.budget, f"Error budget {display.percent(certificate.budget)}")
    return line_plot("curve", "Risk-coverage curve", axes, ordered, limit, mark)


def _highest(series: Sequence[Series], budget: float) -> float:
    # The risk of the first few answered rows is mostly chance and would flatten all the rest.
    risks = [y for line in series for x, y in line.points if x >= 0.1]
    return max([*risks, budget * 1.5])


def _cost_quality(proof: Proof) -> Markup:
    dots = [
        Dot(
            display.shortened(row.name, 24),
            row.usd_per_1000,
            row.quality,
            f"{row.name}: {display.money(row.usd_per_1000)}, {display.share(row.quality)}",
        )
        for row in proof.economics.rows
        if row.usd_per_1000 is not None and row.quality is not None
    ]
    lowest = min((dot.y for dot in dots), default=0.0)
    axes = (
        Axis(
            "US dollars per 1,000 calls",
            0.0,
            max((dot.x for dot in dots), default=0.0),
            display.money,
        ),
        Axis("Agreement with the reference", max(0.0, lowest - 0.02), 1.0),
    )
    return scatter_plot("cost", "Cost and quality", axes, dots)


def _matrix(confusions: Sequence[Confusion]) -> Matrix | None:
    if not confusions:
        return None
    field = confusions[0].field
    pairs = {(one.teacher, one.student): one.count for one in confusions if one.field == field}
    labels = tuple(sorted({label for pair in pairs for label in pair}))
    if len(labels) > _MATRIX_LABELS or len(pairs) < 2:
        return None
    most = max(pairs.values())
    cells = tuple(
        tuple(_cell(pairs.get((said, answered), 0), most) for answered in labels) for said in labels
    )
    return Matrix(field, labels, cells)


def _cell(number: int, most: int) -> tuple[str, int]:
    return (str(number), -(-3 * number // most)) if number else ("", 0)
