"""The sentences at the top of a report: what an audit found and what a proof promises."""

from collections.abc import Iterator
from datetime import UTC, datetime

from stepdown.core import display
from stepdown.core.audits import AuditReport
from stepdown.core.calls import DAY_S
from stepdown.core.proofs import Ceiling, GoldResult, Interval, Proof
from stepdown.core.spending import by_name, replaced

__all__ = [
    "audit_headline",
    "ceiling_text",
    "gold_lines",
    "interval_text",
    "promise",
    "proof_headline",
    "replacement_lines",
    "spending_lines",
    "unpriced_lines",
]

_NAMED = 4


def audit_headline(report: AuditReport) -> str:
    """Return one sentence for a manager: how many tasks, and how much of the bill, look fit.

    The share is of the spend where any is known, of the calls otherwise.
    """
    tasks = report.tasks
    if not tasks:
        if not report.calls:
            return "No call could be read, so there is nothing to judge."
        return f"No task was found among {display.plural(report.calls, 'call')}."
    fit = [task for task in tasks if task.verdict.decision == "distil"]
    whole = display.plural(len(tasks), "task")
    if not fit:
        waiting = sum(task.verdict.decision == "more data" for task in tasks)
        only = "The only task does not look" if len(tasks) == 1 else f"None of the {whole} looks"
        tail = f"; {waiting} could with more calls" if waiting else ""
        return f"{only} fit for a small model yet{tail}."
    if len(tasks) == 1:
        return f"The only task, {_weight(report)}, looks fit for a small model."
    looks = "looks" if len(fit) == 1 else "look"
    return f"{len(fit):,} of {whole}, {_weight(report)}, {looks} fit for a small model."


def spending_lines(report: AuditReport) -> Iterator[str]:
    """Yield who spends how much, as far as the log tells, and which prompts gave way to others."""
    for kind in ("team", "key", "service", "code"):
        names = by_name(report, kind)
        if names and report.spend_usd:
            told = [
                f"{name} {display.share(usd / report.spend_usd)}" for name, usd in names[:_NAMED]
            ]
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            yield f"Spend by {kind}: {', '.join(told)}{more}."
    yield from replacement_lines(report)


def replacement_lines(report: AuditReport) -> Iterator[str]:
    """Yield a sentence for each prompt that gave way to a similar one."""
    names = {task.id: task.name for task in report.tasks}
    for change in replaced(report.tasks):
        day = datetime.fromtimestamp(change.day * DAY_S, UTC).date().isoformat()
        yield (
            f"{names[change.old]} gave way to {names[change.new]} on {day}: a prompt that is"
            f" {display.share(change.alike)} alike."
        )


def unpriced_lines(report: AuditReport) -> Iterator[str]:
    """Yield whose calls are in no total, and what is missing to count them."""
    for missing, models in (
        ("No known price", report.unpriced_models),
        ("Without token counts", report.uncounted_models),
    ):
        told = [
            f"{model or 'an unnamed model'} ({display.plural(calls, 'call')})"
            for model, calls in sorted(models.items(), key=lambda item: -item[1])
        ]
        if told:
            yield f"{missing}, so in no total: {', '.join(told)}."


def _weight(report: AuditReport) -> str:
    fit = [task for task in report.tasks if task.verdict.decision == "distil"]
    spend = sum(task.spend_usd or 0.0 for task in fit)
    if report.spend_usd and any(task.spend_usd is not None for task in fit):
        known = "known spend" if report.unpriced_models or report.uncounted_models else "spend"
        return f"{display.share(min(spend / report.spend_usd, 1.0))} of the {known}"
    calls = sum(task.calls for task in fit)
    return f"{display.share(min(calls / max(report.calls, calls, 1), 1.0))} of the calls"


def proof_headline(proof: Proof) -> str:
    """Return the verdict as one sentence for a manager."""
    name = proof.task_name or proof.task
    if not proof.passed:
        return (
            f"Not certified: every call of “{name}” should stay with the model that answers it now."
        )
    coverage = display.share(proof.test.coverage.estimate)
    return (
        f"Certified: a {proof.answerer} can answer {coverage} of the calls of “{name}”; "
        "the others go where they went before."
    )


def promise(proof: Proof) -> str:
    """Return what the certificate promises, in words; without one, that nothing is promised."""
    certificate = proof.certificate
    if not proof.passed or certificate.threshold is None:
        return "Nothing is promised, so nothing may be answered by this model."
    level, budget = display.percent(certificate.confidence), display.percent(certificate.budget)
    if certificate.graded:
        return (
            f"With {level} confidence, the summaries of the {proof.answerer} lose at most "
            f"{budget} on average over all calls: what they invent, miss of what the reference "
            "has, or are too long by."
        )
    whose = (
        f"of all calls of this task are answered by the {proof.answerer} with something else than"
        if certificate.contract == "joint"
        else f"of the calls that the {proof.answerer} answers get something else than"
    )
    return f"With {level} confidence, at most {budget} {whose} the reference answer."


def interval_text(interval: Interval) -> str:
    """Return a share, its interval and what was counted."""
    if not interval.total:
        return f"{display.UNKNOWN} (no rows)"
    return (
        f"{display.share(interval.estimate)}  ({display.share_range(interval.low, interval.high)}; "
        f"{display.count(interval.count)} of {display.count(interval.total)})"
    )


def ceiling_text(ceiling: Ceiling) -> str:
    """Return how often the teacher agrees with itself, in words."""
    who = ceiling.teacher or "the log's answers"
    times = f", asked {ceiling.asked} times each" if ceiling.asked else ""
    return (
        f"{display.share(ceiling.agreement.estimate)}  "
        f"({display.share_range(ceiling.agreement.low, ceiling.agreement.high)}; "
        f"{display.plural(ceiling.items, 'item')} by {who}{times})"
    )


def gold_lines(gold: GoldResult) -> Iterator[tuple[str, str]]:
    """Yield who is right by people's word, and whose errors are whose."""
    yield "teacher", interval_text(gold.teacher)
    yield "student, if it answered all", interval_text(gold.student)
    yield "student, where it answers", interval_text(gold.student_answered)
    yield "teacher, on the same rows", interval_text(gold.teacher_answered)
    yield "what callers get", interval_text(gold.served)
    wrong = gold.student_alone + gold.both_wrong
    yield (
        "errors",
        f"of the {display.plural(wrong, 'row')} where the teacher is wrong, the student is right "
        f"in {gold.student_alone:,}; where the teacher is right, it is wrong in "
        f"{gold.teacher_alone:,}",
    )
    if gold.skipped:
        yield "", f"{display.plural(gold.skipped, 'row')} shown and not judged: read with care"
