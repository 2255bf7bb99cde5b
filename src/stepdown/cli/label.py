"""`stepdown label`: a task's dataset, from logged answers and from paid ones."""

import shlex
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec

from stepdown.cli import steps
from stepdown.cli.ceilings import refuse_too_tight
from stepdown.cli.labelling.asking import BY_HAND, ask_teacher, refuse_unpriced
from stepdown.cli.labelling.questions import Wanted
from stepdown.cli.labelling.report import (
    Estimate,
    Paid,
    estimate_json,
    estimate_lines,
    in_vain,
    paid_json,
    paid_lines,
    paid_table,
    total_json,
    total_lines,
)
from stepdown.cli.labelling.runs import (
    REPEATS_HELP,
    Counts,
    PlannedRuns,
    ask_others,
    ask_repeats,
    ask_synthetic,
    halted,
    of_inputs,
    planned_runs,
    say_planned,
)
from stepdown.cli.options import FiniteRange, Session, common, print_json
from stepdown.cli.reviewing import review
from stepdown.core.datasets import Dataset
from stepdown.core.tasks import Task
from stepdown.errors import NotEnoughData, UsageError
from stepdown.render import next_step, progress_bar, say, show

__all__ = ["label"]


@click.command()
@click.argument("task")
@click.option("--teacher", metavar="M", help="A model to pay for more answers.")
@click.option("--max-usd", type=FiniteRange(min=0), help="The most that --teacher may cost.")
@click.option("-n", "count", type=click.IntRange(min=1), help="How many answers to have from M.")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    help="Questions under way at once.",
)
@click.option("--repeats", type=click.IntRange(0, 9), default=0, help=REPEATS_HELP)
@click.option(
    "--also-teacher", "also", multiple=True, metavar="M2", help="Who is asked the same; may repeat."
)
@click.option("--batch", is_flag=True, help="By the API's batches: cheaper, within a day.")
@click.option(
    "--synthetic", type=click.IntRange(0, 100_000), default=0, help="How many inputs M makes up."
)
@click.option("--hold-unknown", "hold", is_flag=True, help="Ask nothing that may be paid twice.")
@click.option("--dry-run", is_flag=True, help="Estimate, and ask nothing.")
@click.option("--review", "reviewing", is_flag=True, help="Judge answers: doubted, or -n random.")
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --review: put the doubted answers on a page.",
)
@common
def label(
    session: Session,
    task: str,
    teacher: str | None,
    reviewing: bool,
    html: Path | None,
    **options: Any,
) -> None:
    """Split TASK's answered calls into train, calibration and test with nothing on two sides.

    With --teacher M some calls are asked of M first, after an estimate, and paid for.
    """
    found = session.workspace.task(task)
    beside = {name: options.pop(name) for name in ("repeats", "also", "synthetic")}
    if (reviewing and teacher) or (html and not reviewing):
        raise UsageError("--review asks people and --teacher a model; --html goes with --review.")
    if reviewing:
        review(session, found, options["count"], html)
        return
    if teacher is not None:
        _pay(session, found, Wanted(teacher, **options), planned_runs(teacher, **beside))
        return
    given = {name for name, value in options.items() if value}
    if given - {"concurrency"} or any(beside.values()):
        raise UsageError(
            "--max-usd, -n, --batch, --repeats, --also-teacher, --synthetic, --hold-unknown and "
            "--dry-run go with --teacher M; add it."
        )
    with progress_bar() as progress:
        dataset = steps.label_task(session, found, progress)
    if session.json:
        print_json(_split(found, dataset))
    _tell(session, found, dataset)


class Paying(msgspec.Struct, frozen=True):
    """The runs of a command: the main one, what was asked beside it, and what inputs took."""

    main: Paid
    again: list[Paid]
    made: dict[str, Paid]
    counts: Counts

    @property
    def runs(self) -> list[Paid]:
        """All of them."""
        return [self.main, *self.again, *self.made.values()]

    def told(self) -> dict[str, Any]:
        """What the runs say as JSON, each under its own name, and the bill of them all."""
        found: dict[str, Any] = paid_json(self.main)
        if self.again:
            found["asked_again"] = [paid_json(one) for one in self.again]
        found |= {name: paid_json(one) for name, one in self.made.items()}
        if self.counts:
            found["written"] = self.counts
        return found | {"total": total_json(self.runs)}


def _pay(session: Session, task: Task, wanted: Wanted, planned: PlannedRuns) -> None:
    refuse_unpriced(session, wanted, planned.others)
    refuse_too_tight(session, task, wanted.teacher)
    paying = _asked(session, task, wanted, planned)
    again = session.typed(_same(task, wanted, planned, paying.runs if paying else []))
    if paying is None:
        next_step(again)
        return
    runs = paying.runs
    ended = halted(runs)
    dataset, why = (None, ended) if ended else _dataset(session, task)
    why = ended or next((vain for vain in map(in_vain, runs) if vain), why)
    if session.json:
        found = _split(task, dataset) if dataset else {"dataset": None, "why": why}
        print_json(paying.told() | found)
    else:
        show(paid_table(paying.main))
    for line in (*paid_lines(paying.main), *total_lines(runs)):
        say(line)
    some = any(one.sitting.calls for one in runs)
    if dataset is not None and not why and (some or not paying.main.sitting.capped):
        _tell(session, task, dataset)
        return
    if why:
        say(why)
    next_step(again)
    raise click.exceptions.Exit(130 if why == BY_HAND else 1)


def _same(task: Task, wanted: Wanted, planned: PlannedRuns, runs: Sequence[Paid]) -> str:
    """Return the command that goes on with what was asked for."""
    capped = any(one.sitting.capped for one in runs)
    # Under the cap that it has reached it would ask nothing.
    cap = "" if runs and not capped else "X"
    if wanted.max_usd is not None and not capped:
        cap = format(Decimal(repr(wanted.max_usd)), "f").removesuffix(".0")
    given = [
        f"--teacher {shlex.quote(wanted.teacher)}",
        f"-n {wanted.count}" * (wanted.count is not None),
        "--batch" * wanted.batch,
        f"--repeats {planned.repeats}" * (planned.repeats > 0),
        *(f"--also-teacher {shlex.quote(name)}" for name in planned.others),
        f"--synthetic {planned.inputs}" * (planned.inputs > 0),
        f"--max-usd {cap}" * bool(cap),
    ]
    return " ".join(("stepdown label", task.name, *filter(None, given)))


def _asked(session: Session, task: Task, wanted: Wanted, planned: PlannedRuns) -> Paying | None:
    """Ask what the command is to ask, its runs one after the other; None: it was a dry run."""
    before = ask_repeats(session, task, wanted, planned)
    if halted(before):
        return Paying(before.pop(), before, {}, {})
    made, counts = ask_synthetic(session, task, wanted, planned)
    ended = bool(halted(made.values()))
    # Where the log is thin there may be nothing in it to ask.
    if made and (ended or wanted.count is None):
        main = made.popitem()[1]
    else:
        estimate, found = ask_teacher(session, task, planned.joined(_bare(wanted, planned)))
        if found is None:
            _tell_estimate(session, task, planned, wanted, estimate)
            return None
        main = found
    if not halted([main]):
        before += ask_others(session, task, wanted, planned, main.run)
    return Paying(main, before, made, counts)


def _bare(wanted: Wanted, planned: PlannedRuns) -> Wanted:
    """Return what is wanted, without its cap where only an estimate's price is used."""
    alone = wanted.dry_run and planned.inputs and wanted.count is None
    return msgspec.structs.replace(wanted, max_usd=None) if alone else wanted


def _tell_estimate(
    session: Session, task: Task, planned: PlannedRuns, wanted: Wanted, estimate: Estimate
) -> None:
    teacher, counted = planned.runs[0][0], wanted.count is not None
    if planned.inputs and not counted:
        estimate = of_inputs(estimate, planned.inputs, wanted.max_usd)
    if session.json:
        print_json(estimate_json(task.name, teacher, estimate))
    for line in estimate_lines(task.name, teacher, estimate):
        say(line)
    say_planned(planned, estimate, counted)


def _dataset(session: Session, task: Task) -> tuple[Dataset | None, str]:
    """Return the task's dataset, or why it has none yet."""
    with progress_bar() as progress:
        try:
            return steps.label_task(session, task, progress), ""
        except NotEnoughData as error:
            return None, str(error)


def _split(task: Task, dataset: Dataset) -> dict[str, Any]:
    return {
        "task": task.name,
        "dataset": dataset.id,
        "split": dataset.report,
        "quarantined": dataset.quarantined,
    }


def _tell(session: Session, task: Task, dataset: Dataset) -> None:
    report = dataset.report
    say(
        f"{task.name}: {report.train:,} examples to train on, {report.calibration:,} to certify "
        f"with, {report.test:,} to test; {report.dropped_duplicates:,} repeats left out."
    )
    # The first note is the same for every dataset.
    for note in report.notes[1:]:
        say(note)
    next_step(session.typed(f"stepdown train {task.name}"))
