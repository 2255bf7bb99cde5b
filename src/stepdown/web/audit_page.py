"""The audit as one HTML page that a manager can read."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from markupsafe import Markup

from stepdown.core import display
from stepdown.core.anatomy import Field
from stepdown.core.audits import AuditReport, SourceCoverage
from stepdown.core.spending import by_name, weeks
from stepdown.core.summaries import audit_headline, replacement_lines
from stepdown.core.tasks import Task
from stepdown.core.templates import ANYTHING
from stepdown.web.charts import Bar, Part, Stack, bars, stacked_bars
from stepdown.web.page import html_page, template_text
from stepdown.web.plots import Axis, Series, line_plot

__all__ = ["audit_page"]

_CHARTED = 12
_DETAILED = 60
_VALUES = 12
_LEAST_WEEKS = 3

_KINDS = (
    Part("constant", "constant"),
    Part("choice", "choice"),
    Part("copy", "copy"),
    Part("derived", "derived"),
    Part("free", "free"),
)


class TaskView(msgspec.Struct, frozen=True):
    """A task with what the template would otherwise have to work out."""

    rank: int
    task: Task
    texts: tuple[tuple[str, str], ...]
    fields: tuple[tuple[Field, str], ...]
    params: tuple[tuple[str, str], ...]
    models: str
    sources: str
    spend_share: float | None
    span: str


def audit_page(report: AuditReport, *, made_at: str, version: str) -> str:
    """Return the whole page; `made_at` and `version` stand in its foot as they are given."""
    charted = report.tasks[:_CHARTED]
    detailed = report.tasks[:_DETAILED]
    fit = [task for task in report.tasks if task.verdict.decision == "distil"]
    return html_page(
        "audit.html.jinja",
        title="What the log holds",
        report=report,
        headline=audit_headline(report),
        tasks=[_view(rank, task, report) for rank, task in enumerate(detailed, 1)],
        more=report.tasks[_DETAILED:],
        first_rank_of_more=_DETAILED + 1,
        charted=len(charted),
        spend_chart=_spend_chart(charted),
        anatomy_chart=_anatomy_chart(charted),
        fit=len(fit),
        **_saving(fit),
        spent_by=_spent_by(report),
        trend=_trend(report),
        replacements=list(replacement_lines(report)),
        rejections=_rejections(report.sources),
        priced_calls=sum(task.priced_calls for task in report.tasks),
        made_at=made_at,
        version=version,
    )


def _saving(fit: Sequence[Task]) -> dict[str, Any]:
    known = [
        task.verdict.saving_usd_month for task in fit if task.verdict.saving_usd_month is not None
    ]
    note = "an estimate; each proof gives its own"
    if len(known) < len(fit):
        note = f"known for {len(known)} of {len(fit)} fit tasks"
    return {"saving": sum(known) if known else None, "saving_note": note}


def _spent_by(report: AuditReport) -> list[tuple[str, Markup]]:
    """Return a chart for each kind of name that the log tells: team, key, service, code."""
    charts: list[tuple[str, Markup]] = []
    for kind in ("team", "key", "service", "code"):
        names = by_name(report, kind)[:_CHARTED]
        if names:
            rows = [Bar(name, usd, display.money(usd)) for name, usd in names]
            charts.append((f"Spend by {kind}", bars(f"by-{kind}", f"Spend by {kind}", rows)))
    return charts


def _trend(report: AuditReport) -> Markup | None:
    """Return the known spend of each week, where there are at least three."""
    found = weeks(report.tasks)
    if len(found) < _LEAST_WEEKS:
        return None
    points = [(float(at), week.usd) for at, week in enumerate(found)]
    top = max(week.usd for week in found) or 1.0
    across = Axis("Week of the log", 0.0, float(len(found) - 1), _whole)
    return line_plot(
        "trend",
        "Spend by week",
        (across, Axis("US dollars", 0.0, top, display.money)),
        [Series("known spend", points)],
    )


def _whole(week: float) -> str:
    return f"{week:g}"


def _rejections(sources: Sequence[SourceCoverage]) -> list[tuple[str, str, int]]:
    found = [
        (source.source, reason, number)
        for source in sources
        for reason, number in source.rejected.items()
    ]
    return sorted(found, key=lambda row: -row[2])


def _spend_chart(tasks: Sequence[Task]) -> Markup:
    rows = [Bar(task.name, task.spend_usd, _spend(task)) for task in tasks]
    return bars("spend", "Spend by task", rows)


def _spend(task: Task) -> str:
    shown = display.money(task.spend_usd)
    if task.spend_usd is not None and task.priced_calls < task.calls:
        return f"at least {shown}"
    return shown


def _anatomy_chart(tasks: Sequence[Task]) -> Markup:
    rows = [Stack(task.name, _sizes(task), _no_free_field(task)) for task in tasks]
    return stacked_bars("anatomy", "Anatomy by task", rows, _KINDS)


def _sizes(task: Task) -> dict[str, float]:
    # A field counts as often as it was seen; where no count is known, each field counts once.
    counted = any(field.count for field in task.anatomy.fields)
    sizes: dict[str, float] = {}
    for field in task.anatomy.fields:
        sizes[field.kind] = sizes.get(field.kind, 0.0) + (field.count if counted else 1)
    return sizes


def _no_free_field(task: Task) -> str:
    if not task.anatomy.sampled:
        return display.UNKNOWN
    return f"no free field in {display.share(task.anatomy.bound_calls)}"


def _view(rank: int, task: Task, report: AuditReport) -> TaskView:
    known = task.spend_usd is not None and bool(report.spend_usd)
    return TaskView(
        rank=rank,
        task=task,
        texts=tuple(_texts(task)),
        fields=tuple((field, _values(field)) for field in task.anatomy.fields),
        params=tuple((name, _json(seen)) for name, seen in sorted(task.params.items())),
        models=", ".join(f"{model} ({display.count(n)})" for model, n in task.models.items()),
        sources=", ".join(task.sources),
        spend_share=(task.spend_usd or 0.0) / (report.spend_usd or 1.0) if known else None,
        span=_span(task.first_time, task.last_time),
    )


def _texts(task: Task) -> Iterator[tuple[str, str]]:
    signature = task.signature
    named = (
        ("System text", signature.system),
        ("Conversation so far", signature.history),
        ("User text", signature.user),
    )
    for name, template in named:
        if template != ANYTHING and template.fragments != ("",):
            yield name, template_text(template.fragments)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _values(field: Field) -> str:
    if not field.values:
        return ""
    shown = ", ".join(
        value if isinstance(value, str) and value.strip() == value and value else _json(value)
        for value in field.values[:_VALUES]
    )
    left = max(field.distinct, len(field.values)) - _VALUES
    return f"{shown} … and {left:,} more" if left > 0 else shown


def _span(first: float | None, last: float | None) -> str:
    if first is None or last is None:
        return display.UNKNOWN
    return f"{_day(first)} to {_day(last)}"


def _day(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return display.UNKNOWN
