"""The audit: one pass over the calls of a log, then a report of its tasks, ranked by money."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from stepdown.audit.anatomy import Dissection, dissect
from stepdown.audit.counting import Counting
from stepdown.audit.grouping import Grouper
from stepdown.audit.naming import name_of, task_id, unique
from stepdown.audit.options import Bill, advised, options, prefix_tokens
from stepdown.audit.prices import ATTODOLLARS, prices_as_of, unit_prices
from stepdown.audit.tally import Tally
from stepdown.audit.tokens import date_spans
from stepdown.audit.verdicts import AuditTerms, Evidence, judge
from stepdown.core import display
from stepdown.core.audits import AuditReport, SourceCoverage
from stepdown.core.calls import DAY_S, Call
from stepdown.core.ports import Progress, silent
from stepdown.core.tasks import MONTH_DAYS, Signature, Task, Verdict

__all__ = ["audit", "report_on"]

_SHORTEST_DAYS = 1 / 24
"""A shorter log says nothing of a month: it is a burst, a test or a batch."""


class _Group(msgspec.Struct, frozen=True):
    """One task's calls, once it is known which they are."""

    id: str
    signature: Signature
    hint: str | None
    tally: Tally


def audit(
    calls: Iterable[Call],
    coverage: Sequence[SourceCoverage],
    terms: AuditTerms | None = None,
    progress: Progress = silent,
) -> AuditReport:
    """Find the tasks in `calls`, measure each and judge it.

    One pass, in memory that does not grow with the log: totals are exact, the anatomy is measured
    on a sample. `coverage` is read after the calls, when whoever reads the log has filled it in.
    """
    counting = Counting(progress)
    for call in calls:
        counting.add(call)
    return report_on(counting, coverage, terms, progress)


def report_on(
    counting: Counting,
    coverage: Sequence[SourceCoverage],
    terms: AuditTerms | None = None,
    progress: Progress = silent,
) -> AuditReport:
    """Finish the count of all calls, measure each task that was found and judge it."""
    counting.finish()
    groups = _final(counting.tallies, counting.grouper)
    tallies = [group.tally for group in groups]
    days = _days(tallies)
    tasks: list[Task] = []
    for done, group in enumerate(groups):
        progress("anatomy", done, len(groups))
        tasks.append(_task(group, days, terms or AuditTerms()))
    progress("anatomy", len(groups), len(groups))
    unpriced: Counter[str] = Counter()
    for tally in tallies:
        unpriced.update(tally.unpriced)
    priced = any(tally.priced_calls for tally in tallies)
    return AuditReport(
        tasks=_ranked(tasks),
        sources=tuple(coverage),
        calls=sum(tally.calls for tally in tallies),
        spend_usd=sum(tally.cost for tally in tallies) / ATTODOLLARS if priced else None,
        days=days,
        unpriced_models={m: n for m, n in unpriced.most_common() if unit_prices(m) is None},
        uncounted_models={m: n for m, n in unpriced.most_common() if unit_prices(m) is not None},
        prices_as_of=prices_as_of(),
    )


def _final(tallies: dict[int, Tally], grouper: Grouper) -> list[_Group]:
    """Put together the tallies of groups that turned out to be one."""
    merged, signatures = grouper.merged(), grouper.groups()
    groups: dict[str, _Group] = {}
    for number, tally in sorted(tallies.items()):
        final = number
        while final in merged:
            final = merged[final]
        signature, hint = signatures[final], grouper.hint_of(final)
        name = task_id(signature, hint)
        if name in groups:
            groups[name].tally.merge(tally)
        else:
            groups[name] = _Group(name, signature, hint, tally)
    return list(groups.values())


def _days(tallies: Iterable[Tally]) -> float | None:
    """Return the log's time span in days, or None when no call has a time."""
    held = list(tallies)
    first = min((tally.first_time for tally in held), default=math.inf)
    last = max((tally.last_time for tally in held), default=-math.inf)
    return (last - first) / DAY_S if first <= last else None


def _task(group: _Group, days: float | None, terms: AuditTerms) -> Task:
    signature, hint, tally = group.signature, group.hint, group.tally
    found = dissect(tally.sample.calls(), signature, tally.tools, tally.output_format)
    evidence = _evidence(tally, found, days)
    verdict = judge(evidence, terms)
    ways = options(_bill(group, evidence), verdict, terms)
    return Task(
        id=group.id,
        name=name_of(signature, hint, tally.tools, tally.output_format),
        signature=signature,
        anatomy=found.anatomy,
        verdict=_noted(advised(verdict, ways, terms), signature),
        calls=tally.calls,
        models=dict(tally.models.most_common()),
        tools_json=tally.tools_json,
        output_format_json=tally.output_format_json,
        examples=found.examples,
        first_time=_finite(tally.first_time),
        last_time=_finite(tally.last_time),
        input_tokens=tally.input_tokens if tally.counted_calls else None,
        output_tokens=tally.output_tokens if tally.counted_calls else None,
        spend_usd=evidence.spend_usd,
        spend_usd_month=evidence.spend_usd_month,
        priced_calls=tally.priced_calls,
        counted_calls=tally.counted_calls,
        latency_p50_ms=tally.latencies.quantile(0.5),
        latency_p99_ms=tally.latencies.quantile(0.99),
        repeats=evidence.repeats,
        self_agreement=evidence.self_agreement,
        self_agreement_repeats=evidence.self_agreement_repeats,
        hint=hint,
        params=tally.params.summary(),
        options=ways,
        spend_by=tally.ledger.spend_by(),
        daily=tally.ledger.days(),
        seen=True,
    )


def _noted(verdict: Verdict, signature: Signature) -> Verdict:
    """Add what a team may not expect: a date that never moved is part of the instruction."""
    said = (*signature.system.fragments, *signature.user.fragments)
    dates = {text[at:end]: None for text in said for at, end in date_spans(text)}
    if verdict.decision not in ("distil", "more data") or not dates:
        return verdict
    named = " and ".join(f"“{display.visible(date)}”" for date in list(dates)[:2])
    note = f"{named} stood in every call: one with another date is no call of this task."
    return msgspec.structs.replace(verdict, reasons=(*verdict.reasons, note))


def _evidence(tally: Tally, found: Dissection, days: float | None) -> Evidence:
    agreement, repeats = tally.repeats.self_agreement()
    return Evidence(
        calls=tally.calls,
        repeats=tally.repeats.share(),
        dissection=found,
        spend_usd=tally.spend_usd,
        spend_usd_month=_month(tally.spend_usd, days),
        priced_calls=tally.priced_calls,
        days=days,
        self_agreement=agreement,
        self_agreement_repeats=repeats,
    )


def _bill(group: _Group, evidence: Evidence) -> Bill:
    tally, counted = group.tally, group.tally.counted_calls
    fields = evidence.dissection.anatomy.fields
    days = evidence.days
    monthly = days is not None and days >= _SHORTEST_DAYS
    return Bill(
        model=tally.models.most_common(1)[0][0],
        usd_month=evidence.spend_usd_month,
        calls_month=tally.calls / days * MONTH_DAYS if monthly and days else None,
        read=tally.input_tokens / counted if counted else None,
        written=tally.output_tokens / counted if counted else None,
        cached=tally.cached_tokens / counted if counted else 0.0,
        prefix=prefix_tokens(group.signature, tally.tools_json),
        repeats=evidence.repeats,
        self_agreement=evidence.self_agreement,
        mix=tally.ledger.mix(),
        batched=tally.batched_calls / tally.calls if tally.calls else 0.0,
        closed=bool(fields) and all(field.kind in ("choice", "constant") for field in fields),
    )


def _finite(time: float) -> float | None:
    return time if math.isfinite(time) else None


def _month(spend: float | None, days: float | None) -> float | None:
    if spend is None or days is None or days < _SHORTEST_DAYS:
        return None
    return spend / days * MONTH_DAYS


def _ranked(tasks: Iterable[Task]) -> tuple[Task, ...]:
    """Order by spend, known ones first, then by volume; give tasks of one name a number each."""
    order = sorted(
        tasks,
        key=lambda task: (task.spend_usd is None, -(task.spend_usd or 0.0), -task.calls, task.id),
    )
    names = unique(task.name for task in order)
    return tuple(
        msgspec.structs.replace(task, name=name) for task, name in zip(order, names, strict=True)
    )
