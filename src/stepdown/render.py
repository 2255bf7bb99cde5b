"""What the command line shows: tables, a proof's summary, progress, and lines for the reader.

Functions that end in `_table` or `_summary` return something that `show` prints; they print
nothing themselves. Text from a log is never read as markup and carries no control character.
"""

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich import progress as drawing
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stepdown.core import display
from stepdown.core.audits import AuditReport
from stepdown.core.ports import Progress
from stepdown.core.proofs import Certificate, Economics, Interval, Proof, shared_confidence
from stepdown.core.summaries import (
    audit_headline,
    ceiling_text,
    gold_lines,
    interval_text,
    promise,
    proof_headline,
    spending_lines,
    unpriced_lines,
)
from stepdown.core.tasks import Task
from stepdown.tables import Cell, bare, fitted, one_line, shown, table

__all__ = [
    "DETAIL",
    "Cell",
    "audit_table",
    "console",
    "next_step",
    "progress_bar",
    "proof_summary",
    "reading_lines",
    "say",
    "show",
    "table",
]

DETAIL = " · "
"""Between a stage's name and what changes about it."""

_SHOWN_TASKS = 20
_WITH_OPTIONS = 3
_VERDICT_STYLE = {
    "distil": "green",
    "more data": "yellow",
    "not worth it": "dim",
    "not possible": "red",
}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # What closes the output ends the command, as it does where no table is printed.
        raise BrokenPipeError from sys.exception()


def console(*, stderr: bool = False) -> Console:
    """Return a console on stdout (or stderr) that takes text literally: no markup, no emoji."""
    return _Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def show(what: RenderableType, to: Console | None = None) -> None:
    """Print a table or summary, on stdout unless told otherwise."""
    (to or console()).print(what)


def say(text: str, to: Console | None = None, *, style: str = "") -> None:
    """Print one line for the reader, on stderr unless told otherwise; it is never hard-wrapped."""
    (to or console(stderr=True)).print(shown(text, style), soft_wrap=True)


def next_step(command: str, to: Console | None = None) -> None:
    """Name the command to go on with, on stderr unless told otherwise."""
    line = Text.assemble(("Next: ", "bold"), (display.visible(command), "cyan"))
    (to or console(stderr=True)).print(line, soft_wrap=True)


def audit_table(report: AuditReport) -> RenderableType:
    """Return the audit for a terminal: headline, tasks ranked by money, reasons, what was read."""
    tasks = report.tasks[:_SHOWN_TASKS]
    parts: list[RenderableType] = [shown(audit_headline(report), "bold")]
    if tasks:
        parts += [_tasks(tasks), _reasons(tasks), *_options(tasks)]
    left_out = len(report.tasks) - len(tasks)
    if left_out:
        parts.append(Text(f"… and {display.plural(left_out, 'task')} more, smaller ones."))
    told = (*spending_lines(report), *reading_lines(report), *unpriced_lines(report))
    parts += [shown(line, "dim") for line in told]
    return Group(*parts)


_FIGURES: Mapping[str, Callable[[Task], str]] = {
    "Calls": lambda task: display.count(task.calls),
    "Spend": lambda task: display.money(task.spend_usd),
    "A month": lambda task: display.money(task.spend_usd_month),
    "Non-free": lambda task: display.share(task.anatomy.bound_calls),
}


def _tasks(tasks: Sequence[Task]) -> RenderableType:
    def make(without: Sequence[str]) -> Table:
        made = bare()
        made.add_column("#", justify="right", no_wrap=True)
        made.add_column("Task")
        made.add_column("Verdict", no_wrap=True)
        figures = [heading for heading in _FIGURES if heading not in without]
        for heading in figures:
            made.add_column(heading, justify="right", no_wrap=True)
        for rank, task in enumerate(tasks, 1):
            decision = task.verdict.decision
            made.add_row(
                str(rank),
                one_line(shown(task.name)),
                Text(decision, style=_VERDICT_STYLE[decision]),
                *(_unless_unknown(_FIGURES[heading](task)) for heading in figures),
            )
        return made

    return Padding(fitted(make, ("Non-free",)), (1, 0))


def _options(tasks: Sequence[Task]) -> Iterator[RenderableType]:
    """Yield the ways to pay less for the dearest tasks."""
    rows = [
        (rank, way)
        for rank, task in enumerate(tasks[:_WITH_OPTIONS], 1)
        for way in task.options
        if way.saving_usd_month
    ]
    if not rows:
        return
    made = bare()
    made.add_column("#", justify="right", no_wrap=True)
    made.add_column("Ways to pay less", no_wrap=True)
    made.add_column("A month", justify="right", no_wrap=True)
    made.add_column("Risk")
    last = 0
    for rank, way in rows:
        number = "" if rank == last else str(rank)
        made.add_row(number, way.name, display.money(way.saving_usd_month), way.risk)
        last = rank
    yield Padding(made, (0, 0, 1, 0))


def _unless_unknown(text: str) -> Text:
    return Text(text, style="dim" if text == display.UNKNOWN else "")


def _reasons(tasks: Sequence[Task]) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for rank, task in enumerate(tasks, 1):
        if task.verdict.reasons:
            grid.add_row(str(rank), shown(" ".join(task.verdict.reasons)))
    return Padding(grid, (0, 0, 1, 0)) if grid.row_count else Text()


def reading_lines(report: AuditReport) -> Iterator[str]:
    """Yield what was read from the log, and what could not be and why, line by line."""
    lines = sum(source.lines for source in report.sources)
    duplicates = sum(source.duplicates for source in report.sources)
    rejected: dict[str, int] = {}
    for source in report.sources:
        for reason, number in source.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + number
    if not report.sources:
        yield f"Read {display.plural(report.calls, 'call')}."
        return
    yield (
        f"Read {display.plural(report.calls, 'call')} in {display.plural(lines, 'line')} of "
        f"{display.plural(len(report.sources), 'source')}: "
        f"{display.plural(duplicates, 'duplicate')} and "
        f"{display.plural(sum(rejected.values()), 'rejected line')} among them."
    )
    for reason, number in sorted(rejected.items(), key=lambda item: -item[1]):
        yield f"  {display.count(number)} × {reason}"
    for source in report.sources:
        yield from (f"  {source.source}: {note}" for note in source.notes)


def proof_summary(proof: Proof) -> RenderableType:
    """Return a proof for a terminal: the verdict, the promise, and the figures behind both."""
    style = "bold green" if proof.passed else "bold yellow"
    parts: list[RenderableType] = [shown(proof_headline(proof), style), shown(promise(proof))]
    if not proof.passed:
        parts += [
            Text.assemble((heading, "bold"), display.visible(line))
            for heading, line in (
                ("Why: ", proof.certificate.why),
                ("What would change it: ", proof.certificate.remedy),
            )
            if line.strip()
        ]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, value in (*_quality(proof), *_trust(proof), *_money_and_time(proof)):
        grid.add_row(name, shown(value))
    parts.append(Padding(grid, (1, 0)))
    if proof.economics.rows:
        parts.append(_cost_table(proof.economics))
    return Group(*parts)


def _mean_loss(interval: Interval) -> str:
    share, between = (
        display.share(interval.estimate),
        display.share_range(interval.low, interval.high),
    )
    return f"mean loss {share}  ({between})"


def _quality(proof: Proof) -> Iterator[tuple[str, str]]:
    certificate, test = proof.certificate, proof.test
    size = f", {display.bytes_size(proof.student_bytes)}" if proof.student_bytes else ""
    yield "student", f"{proof.family} {proof.student}{size}"
    yield "reference", proof.reference
    yield (
        "contract",
        f"{certificate.contract}, budget {display.percent(certificate.budget)}, "
        f"confidence {display.percent(certificate.confidence)}",
    )
    if shared := shared_confidence(certificate):
        yield "", shared
    if certificate.threshold is None:
        least = certificate.rows_needed
        needed = f"; at least {display.count(least)} are needed" if least else ""
        yield "threshold", f"none  ({display.count(certificate.rows)} calibration rows{needed})"
    else:
        yield (
            "threshold",
            f"{certificate.threshold:.4g}  (risk bound {display.share(certificate.bound, 2)}; "
            f"{_errors(certificate)} of {display.count(certificate.accepted)} answered, "
            f"{display.count(certificate.rows)} calibration rows)",
        )
    if certificate.novelty_cutoff is not None:
        yield "novelty gate", _gate(certificate)
    if proof.opened:
        times = display.plural(proof.opened, "time")
        yield "test part", f"{display.plural(test.rows, 'row')}, opened {times} so far"
    yield "coverage (test)", interval_text(test.coverage)
    yield "agreement (test)", interval_text(test.agreement) + ", if it answered all"
    told = _mean_loss if certificate.graded else interval_text
    yield "joint risk", told(test.joint_risk)
    yield "selective risk", told(test.selective_risk)


def _trust(proof: Proof) -> Iterator[tuple[str, str]]:
    if proof.ceiling is not None:
        yield "teacher agrees with itself", ceiling_text(proof.ceiling)
    if proof.gold is not None:
        yield "by people's word", f"{display.plural(proof.gold.rows, 'test row')} drawn at random"
        yield from ((f"  {name}" if name else "", text) for name, text in gold_lines(proof.gold))


def _errors(certificate: Certificate) -> str:
    if certificate.graded:
        return f"mean loss {display.share(certificate.risk, 2)}, {certificate.errors:,} far off,"
    return f"{display.count(certificate.errors)} wrong"


def _gate(certificate: Certificate) -> str:
    refused, cost = map(display.share, (certificate.novelty_refused, certificate.novelty_cost))
    return (
        f"refuses above {certificate.novelty_cutoff:.4f}  ({refused} of the calibration rows, "
        f"which costs {cost} of coverage)"
    )


def _money_and_time(proof: Proof) -> Iterator[tuple[str, str]]:
    latency, economics = proof.latency, proof.economics
    measured = (
        f"p50 {display.milliseconds(latency.p50_ms)}, p99 {display.milliseconds(latency.p99_ms)}"
    )
    if not latency.count:
        measured = display.UNKNOWN
    if proof.behind:
        measured += f", and what {proof.behind} takes where it is asked"
    yield "latency", f"{measured}; now p50 {display.milliseconds(latency.teacher_p50_ms)}"
    yield (
        "saving a month",
        f"{display.money(economics.saving_usd_month)}"
        f"  (break-even: {display.days(economics.break_even_days)})",
    )
    if economics.note:
        yield "money", economics.note


def _cost_table(economics: Economics) -> RenderableType:
    rows = [
        (row.name, display.money(row.usd_per_1000), display.share(row.quality), row.note)
        for row in economics.rows
    ]
    return table("", ("Answered by", ">$ per 1,000 calls", ">Agreement", "Note"), rows)


@contextmanager
def progress_bar(to: Console | None = None) -> Generator[Progress]:
    """Yield a `Progress` that draws one bar a stage, on stderr unless told otherwise.

    What follows `DETAIL` in a stage's name may change as it goes on. Where nobody watches (not a
    terminal) each stage is one plain line when it begins.
    """
    out = to or console(stderr=True)
    if not out.is_terminal:
        yield _sparse(out)
        return
    bars = drawing.Progress(
        drawing.TextColumn("{task.description}", markup=False),
        drawing.BarColumn(bar_width=30),
        drawing.MofNCompleteColumn(),
        drawing.TimeElapsedColumn(),
        drawing.TimeRemainingColumn(),
        console=out,
    )
    with bars:
        yield _drawn(bars)


def _sparse(out: Console) -> Progress:
    seen: set[str] = set()

    def report(stage: str, done: int, total: int) -> None:
        stage = stage.partition(DETAIL)[0]
        if stage in seen:
            return
        seen.add(stage)
        size = f" ({display.count(total)})" if total else ""
        out.print(shown(f"{stage}{size} …"), soft_wrap=True)

    return report


def _drawn(bars: drawing.Progress) -> Progress:
    stages: dict[str, drawing.TaskID] = {}

    def report(stage: str, done: int, total: int) -> None:
        name, text = stage.partition(DETAIL)[0], display.visible(stage)
        if name not in stages:
            stages[name] = bars.add_task(text, total=None)
        bars.update(stages[name], completed=done, total=total or None, description=text)

    return report
