"""`prove`: certify on the calibration part, then open the test part, and write it all down."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from stepdown.core import display
from stepdown.core.datasets import Dataset, Example
from stepdown.core.losses import Loss, loss_of
from stepdown.core.ports import Progress, Student, silent
from stepdown.core.proofs import Certificate, GoldResult, Interval, Latency, Proof, TestResult
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError
from stepdown.prove.archive import named
from stepdown.prove.certify import ceiling, certify
from stepdown.prove.contract import ProofTerms
from stepdown.prove.economics import economics
from stepdown.prove.gold import against_gold, by_gold, qualities_by_gold
from stepdown.prove.latency import measure_latency
from stepdown.prove.measure import measure
from stepdown.prove.novelty import gated
from stepdown.prove.outcomes import Answering, Outcome, answer, graded_by

__all__ = ["NOT_COVERED", "prove"]

_TEACHER = "A teacher that is wrong: the student agrees with it, errors included."
_HUMAN = "People who are wrong: the student is certified by their word, slips included."

NOT_COVERED = (
    "Traffic that differs from the calibration rows: the next calls have to be exchangeable with "
    "them, and a change of users, season or product can end that.",
    "Inputs made to deceive the student.",
    _TEACHER,
    "Any single request or group of requests: the promise is about the average of the traffic.",
    "Drift between its start and the audit's alarm.",
    "Rows of one caller's group that err together: calibration rows count as independent draws.",
)


def prove(
    task: Task,
    dataset: Dataset,
    student: Student,
    terms: ProofTerms,
    *,
    student_bytes: int = 0,
    progress: Progress = silent,
    answer: Answering = answer,
) -> Proof:
    """Return the proof of `student` on `task`; "not certified" is a proof too.

    Training rows are not looked at, calibration rows choose the threshold, test rows are opened
    once and only measured. Passed means: a threshold was found that answers calibration rows, the
    teacher's own consistency allows the budget, and the test part does not contradict it (the lower
    end of its 95 % interval is within the budget). `answer` has the student answer rows.

    Raises:
        ArtefactError: the dataset is another task's.
    """
    if dataset.task != task.id:
        raise ArtefactError(
            f"Dataset {dataset.id} belongs to task {dataset.task}, not to {task.name}; run "
            f"`stepdown label {task.name}`."
        )
    loss = loss_of(task.anatomy)

    def answered(part: str, rows: Sequence[Example]) -> list[Outcome]:
        return answer(student, rows, progress, part, loss)

    certificate = _calibrated(task, dataset, terms, answered)
    trial = _tried(task, dataset, student, terms, certificate, answered)
    return named(_written(task, dataset, student, terms, trial, student_bytes))


_Answered = Callable[[str, Sequence[Example]], list[Outcome]]
"""Has the student answer rows of the part that is named."""


class _Trial(msgspec.Struct, frozen=True):
    """What the test part said: `certificate` is as it stands before it, and has `passed` or not.

    `raised` counts the rows on which the student failed.
    """

    certificate: Certificate
    passed: bool
    test: TestResult
    gold: GoldResult | None
    latency: Latency
    raised: int


def _calibrated(
    task: Task, dataset: Dataset, terms: ProofTerms, answered: _Answered
) -> Certificate:
    """Return what the calibration part certifies, by people's word where that is the reference."""
    rows = dataset.part("calibration")
    if terms.gold_certifies:
        rows = by_gold(rows, terms.gold)
    calls_per_row = len(dataset.examples) / max(len(rows), 1)
    certificate = certify(answered("calibration", rows), terms, calls_per_row)
    return _within_ceiling(certificate, task, terms)


def _tried(
    task: Task,
    dataset: Dataset,
    student: Student,
    terms: ProofTerms,
    certificate: Certificate,
    answered: _Answered,
) -> _Trial:
    """Open the test part, and measure on it what was chosen without it."""
    examples = dataset.part("test")
    loss, threshold = loss_of(task.anatomy), certificate.threshold
    outcomes = gated(answered("test", examples), certificate.novelty_cutoff)
    gold = against_gold(outcomes, terms.gold, threshold, loss)
    if terms.gold_certifies:
        outcomes = _regraded(outcomes, terms, loss)
    test = measure(outcomes, task.anatomy, threshold)
    certificate, passed = _judged(certificate, test)
    raised = sum(o.prediction.abstained.startswith("student error") for o in outcomes)
    latency = measure_latency(student, [e.input for e in examples], task.latency_p50_ms)
    return _Trial(certificate, passed, test, gold, latency, raised)


def _written(
    task: Task,
    dataset: Dataset,
    student: Student,
    terms: ProofTerms,
    trial: _Trial,
    student_bytes: int,
) -> Proof:
    certificate, passed, test = trial.certificate, trial.passed, trial.test
    bill = economics(task, terms, test, trial.latency, passed)
    return Proof(
        id="",
        task=task.id,
        task_name=task.name,
        student=student.id,
        family=student.family,
        dataset=dataset.id,
        passed=passed,
        summary=_summary(certificate, test, passed),
        reference=terms.reference,
        certificate=certificate,
        test=test,
        split=dataset.report,
        economics=qualities_by_gold(bill, trial.gold) if terms.gold_certifies else bill,
        latency=trial.latency,
        made_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        self_agreement=task.self_agreement,
        student_bytes=student_bytes,
        behind=terms.behind.name if terms.behind else "",
        not_covered=_not_covered(terms),
        ceiling=terms.ceiling,
        gold=trial.gold,
        extra={"test_predictions_that_raised": trial.raised},
        opened=terms.opened,
    )


def _regraded(outcomes: Sequence[Outcome], terms: ProofTerms, loss: Loss) -> list[Outcome]:
    """Return the outcomes of the rows that people judged, graded by their word."""
    truths = {row.id: row for row in by_gold([o.example for o in outcomes], terms.gold)}
    return [
        graded_by(outcome, truths[outcome.example.id], loss)
        for outcome in outcomes
        if outcome.example.id in truths
    ]


def _not_covered(terms: ProofTerms) -> tuple[str, ...]:
    lines = NOT_COVERED
    if terms.gold_certifies:
        lines = tuple(_HUMAN if line == _TEACHER else line for line in lines)
    if terms.behind is None:
        return lines
    return (
        *lines,
        f"A change of {terms.behind.name}: it is proved as it answered when it was asked, and "
        "whoever hosts it may change it.",
    )


def _within_ceiling(certificate: Certificate, task: Task, terms: ProofTerms) -> Certificate:
    # How often the teacher agrees with itself bounds nothing where people are the reference.
    reason = "" if terms.gold_certifies else ceiling(task, terms)
    if not reason:
        return certificate
    return msgspec.structs.replace(
        certificate,
        threshold=None,
        accepted=0,
        errors=0,
        bound=1.0,
        novelty_cutoff=None,
        novelty_refused=0.0,
        novelty_cost=0.0,
        why=reason,
        remedy="Set the teacher's temperature to 0, make its instructions unambiguous, or allow a "
        "budget above what it disagrees with itself.",
    )


def _judged(certificate: Certificate, test: TestResult) -> tuple[Certificate, bool]:
    """Return the certificate and whether it stands before the test part."""
    if certificate.threshold is None:
        return certificate, False
    risk = test.joint_risk if certificate.contract == "joint" else test.selective_risk
    if risk.low <= certificate.budget:
        return certificate, True
    return (
        msgspec.structs.replace(
            certificate,
            why="The test part contradicts the calibration part: "
            f"{_found(risk, certificate)} a risk of at least {display.share(risk.low)}, and the "
            f"budget is {display.percent(certificate.budget)}.",
            remedy="The traffic changed between the two parts, or rows are not independent: label "
            "again with newer calls, and train on them.",
        ),
        False,
    )


def _found(risk: Interval, certificate: Certificate) -> str:
    if certificate.graded:
        return f"a mean loss of {display.share(risk.estimate)} in {risk.total:,} rows is"
    return f"{risk.count:,} errors in {risk.total:,} rows are"


def _summary(certificate: Certificate, test: TestResult, passed: bool) -> str:
    if not passed:
        return f"Not certified. {certificate.why} {certificate.remedy}".strip()
    return (
        f"Certified at {display.percent(certificate.budget)} ({certificate.contract}, "
        f"{display.percent(certificate.confidence)} confidence): answers "
        f"{display.share(test.coverage.estimate)} of the test calls, "
        f"{_differently(certificate, test)}."
    )


def _differently(certificate: Certificate, test: TestResult) -> str:
    if certificate.graded:
        return f"with a mean loss of {display.share(test.joint_risk.estimate)} over all of them"
    return f"{test.joint_risk.count:,} of {test.rows:,} differently from the reference"
