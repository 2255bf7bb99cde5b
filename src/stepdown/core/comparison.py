"""Two audits side by side: what came, what went, and what grew."""

from stepdown.core.audits import AuditReport, Comparison, TaskChange
from stepdown.core.calls import DAY_S
from stepdown.core.tasks import Task

__all__ = ["compare"]


def compare(old: AuditReport, new: AuditReport) -> Comparison:
    """Compare two audits, task by task; a task is the same where its id is."""
    before = {task.id: task for task in old.tasks}
    now = {task.id: task for task in new.tasks}
    changes = [_change(before.get(key), now.get(key)) for key in {**now, **before}]
    return Comparison(
        tuple(sorted(changes, key=lambda change: (-abs(_moved(change)), change.name))),
        (_month(old), _month(new)),
    )


def _change(old: Task | None, new: Task | None) -> TaskChange:
    task = new or old
    assert task is not None
    return TaskChange(
        task.id,
        task.name,
        "new" if old is None else "gone" if new is None else "kept",
        (_calls_day(old), _calls_day(new)),
        (old and old.spend_usd_month, new and new.spend_usd_month),
        (_free(old), _free(new)),
        (old.verdict.decision if old else "", new.verdict.decision if new else ""),
    )


def _moved(change: TaskChange) -> float:
    old, new = change.usd_month
    return (new or 0.0) - (old or 0.0)


def _calls_day(task: Task | None) -> float | None:
    if task is None or task.first_time is None or task.last_time is None:
        return None
    days = (task.last_time - task.first_time) / DAY_S
    return task.calls / days if days > 0 else None


def _free(task: Task | None) -> float | None:
    return None if task is None or not task.anatomy.sampled else 1.0 - task.anatomy.bound_calls


def _month(report: AuditReport) -> float | None:
    known = [t.spend_usd_month for t in report.tasks if t.spend_usd_month is not None]
    return sum(known) if known else None
