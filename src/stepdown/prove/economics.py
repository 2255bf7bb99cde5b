"""What a student saves: dollars per 1,000 calls, a month, and until it has paid for itself."""

from stepdown.core.proofs import CostRow, Economics, TestResult
from stepdown.core.tasks import MONTH_DAYS, Task, calls_month, teacher_usd
from stepdown.prove.contract import ProofTerms

__all__ = ["economics"]


def economics(task: Task, terms: ProofTerms, test: TestResult, passed: bool) -> Economics:
    """Return the bill before and after.

    The cascade pays the teacher for what the student does not answer and for the audited share of
    what it does. Without a certificate the student answers nothing, so nothing is saved. A price or
    a volume that the log does not give leaves every figure that needs it None, and `note` says so.
    """
    coverage = test.coverage.estimate if passed else 0.0
    teacher = teacher_usd(task)
    audited = terms.audit_share * coverage
    own = terms.student_usd_per_1000
    cascade = None
    if teacher is not None:
        hosted = (terms.behind.usd_per_1000 or 0.0) if passed and terms.behind else 0.0
        cascade = teacher * (1.0 - coverage + audited) + own * coverage + hosted
    month = calls_month(task)
    saving = audit = None
    if teacher is not None and cascade is not None and month is not None:
        saving = (teacher - cascade) * month / 1000.0
        audit = teacher * audited * month / 1000.0
    rows = (
        CostRow("teacher", teacher, 1.0, _priced(task)),
        *terms.cheaper,
        _answering_all(terms, test),
        CostRow(
            "cascade",
            cascade,
            1.0 - test.joint_risk.estimate if passed else 1.0,
            f"{coverage:.1%} answered by {_who(terms)}, {terms.audit_share:.1%} of that audited",
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


def _answering_all(terms: ProofTerms, test: TestResult) -> CostRow:
    """Return the row of what would answer every call: the student, and what is behind it."""
    own, agreement, behind = terms.student_usd_per_1000, test.agreement.estimate, terms.behind
    if behind is None:
        return CostRow("student alone", own, agreement, "our own CPU, as configured")
    price = None if behind.usd_per_1000 is None else own + behind.usd_per_1000
    return CostRow(f"student, {behind.name} behind", price, agreement, behind.note)


def _who(terms: ProofTerms) -> str:
    return f"the student and {terms.behind.name} behind it" if terms.behind else "the student"


def _priced(task: Task) -> str:
    if not task.priced_calls:
        return "no call has a known price"
    return f"mean of {task.priced_calls:,} priced calls of {task.calls:,}"


def _break_even(saving: float | None, labelling: float) -> float | None:
    if saving is None or saving <= 0.0:
        return None
    return labelling / (saving / MONTH_DAYS)


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
