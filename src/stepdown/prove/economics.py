"""What a student saves: dollars per 1,000 calls, a month, and until it has paid for itself."""

from stepdown.core.proofs import CostRow, Economics, TestResult
from stepdown.core.tasks import Task
from stepdown.prove.contract import ProofTerms

__all__ = ["economics"]

_DAY_SECONDS = 86_400.0
_MONTH_DAYS = 30.4375


def economics(task: Task, terms: ProofTerms, test: TestResult, passed: bool) -> Economics:
    """Return the bill before and after.

    The cascade pays the teacher for what the student does not answer and for the audited share of
    what it does. Without a certificate the student answers nothing, so nothing is saved. A price or
    a volume that the log does not give leaves every figure that needs it None, and `note` says so.
    """
    coverage = test.coverage.estimate if passed else 0.0
    teacher = _teacher(task)
    audited = terms.audit_share * coverage
    own = terms.student_usd_per_1000
    cascade = None if teacher is None else teacher * (1.0 - coverage + audited) + own * coverage
    month = _calls_month(task)
    saving = audit = None
    if teacher is not None and cascade is not None and month is not None:
        saving = (teacher - cascade) * month / 1000.0
        audit = teacher * audited * month / 1000.0
    rows = (
        CostRow("teacher", teacher, 1.0, _priced(task)),
        *terms.cheaper,
        CostRow("student alone", own, test.agreement.estimate, "our own CPU, as configured"),
        CostRow(
            "cascade",
            cascade,
            1.0 - test.joint_risk.estimate if passed else 1.0,
            f"{coverage:.1%} answered by the student, {terms.audit_share:.1%} of that audited",
        ),
    )
    return Economics(
        rows=rows,
        calls_month=month,
        saving_usd_month=saving,
        audit_usd_month=audit,
        labelling_usd=terms.labelling_usd,
        break_even_days=_break_even(saving, terms.labelling_usd),
        note=_note(teacher, month, saving),
    )


def _teacher(task: Task) -> float | None:
    if task.spend_usd is None or not task.priced_calls:
        return None
    return task.spend_usd / task.priced_calls * 1000.0


def _priced(task: Task) -> str:
    if not task.priced_calls:
        return "no call has a known price"
    return f"mean of {task.priced_calls:,} priced calls of {task.calls:,}"


def _calls_month(task: Task) -> float | None:
    """Return the task's calls a month, from its share of the log's time span."""
    if task.spend_usd and task.spend_usd_month is not None:
        return task.calls * task.spend_usd_month / task.spend_usd
    if task.first_time is None or task.last_time is None:
        return None
    days = (task.last_time - task.first_time) / _DAY_SECONDS
    # Less than a day says nothing about a month.
    return task.calls / days * _MONTH_DAYS if days >= 1.0 else None


def _break_even(saving: float | None, labelling: float) -> float | None:
    if saving is None or saving <= 0.0:
        return None
    return labelling / (saving / _MONTH_DAYS)


def _note(teacher: float | None, month: float | None, saving: float | None) -> str:
    if teacher is None:
        return "The teacher's price is unknown, so savings are unknown."
    if month is None:
        return "The log has no times or spans less than a day, so monthly figures are unknown."
    if saving is None or saving <= 0.0:
        return "Nothing is saved, so it never breaks even."
    return (
        "Savings are net of the audit; labels came from the log unless a labelling cost is given."
    )
