"""What a student saves: dollars per 1,000 calls, a month, and until it has paid for itself."""

from stepdown.core import display
from stepdown.core.costs import cascade_usd, own_usd
from stepdown.core.proofs import CostRow, Economics, Latency, TestResult
from stepdown.core.tasks import MONTH_DAYS, Task, calls_month, teacher_usd
from stepdown.prove.contract import ProofTerms

__all__ = ["economics"]


def economics(
    task: Task, terms: ProofTerms, test: TestResult, latency: Latency, passed: bool
) -> Economics:
    """Return the bill before and after.

    The cascade pays the teacher for what the student does not answer and for the audited share of
    what it does, and the student on every call. Without a certificate no student runs, and nothing
    is saved. A price, a time or a volume that nobody knows leaves every figure that needs it None,
    and `note` says so.
    """
    coverage = test.coverage.estimate if passed else 0.0
    teacher, month = teacher_usd(task), calls_month(task)
    own = _own(terms, latency)
    cascade = cascade_usd(teacher, own if passed else 0.0, coverage, terms.audit_share)
    saving = audit = None
    if teacher is not None and month is not None:
        audit = teacher * terms.audit_share * coverage * month / 1000.0
        saving = None if cascade is None else (teacher - cascade) * month / 1000.0
    rows = (
        CostRow("teacher", teacher, 1.0, _priced(task)),
        *terms.cheaper,
        _answering_all(terms, test, own),
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
        note=_note(teacher, cascade, month, saving, terms) + _unpaid(terms),
    )


def _own(terms: ProofTerms, latency: Latency) -> float | None:
    """Return what 1,000 calls cost the student, and what is behind it."""
    measured = latency.p50_ms if latency.count else None
    behind = terms.behind.usd_per_1000 if terms.behind else 0.0
    return own_usd(measured, terms.cpu_usd_hour, behind)


def _answering_all(terms: ProofTerms, test: TestResult, own: float | None) -> CostRow:
    """Return the row of what would answer every call: the student, and what is behind it."""
    agreement, behind = test.agreement.estimate, terms.behind
    cpu = f"our own CPU at {display.money(terms.cpu_usd_hour)} an hour"
    if behind is None:
        return CostRow("student alone", own, agreement, cpu)
    return CostRow(f"student, {behind.name} behind", own, agreement, f"{behind.note}; {cpu}")


def _who(terms: ProofTerms) -> str:
    return f"the student and {terms.behind.name} behind it" if terms.behind else "the student"


def _priced(task: Task) -> str:
    if not task.priced_calls:
        return "no call has a known price"
    return f"mean of {task.priced_calls:,} priced calls of {task.calls:,}"


def _break_even(saving: float | None, labelling: float | None) -> float | None:
    if saving is None or saving <= 0.0 or labelling is None:
        return None
    return labelling / (saving / MONTH_DAYS)


def _note(
    teacher: float | None,
    cascade: float | None,
    month: float | None,
    saving: float | None,
    terms: ProofTerms,
) -> str:
    if teacher is None:
        return "The teacher's price is unknown, so savings are unknown."
    if cascade is None:
        return f"What {_who(terms)} costs is unknown, so savings are unknown."
    if month is None:
        return "The log has no times or spans less than a day, so monthly figures are unknown."
    if saving is None or saving <= 0.0:
        return "Nothing is saved, so it never breaks even."
    return "Savings are net of the audit and of what the student itself costs."


def _unpaid(terms: ProofTerms) -> str:
    if terms.labelling_usd == 0.0:
        return " No label was paid for."
    unknown = " What some paid answers cost is unknown, and so what labelling has cost in all."
    return unknown if terms.labelling_usd is None else ""
