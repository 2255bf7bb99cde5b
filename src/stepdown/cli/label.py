"""`stepdown label`: a task's dataset, from logged answers and from paid ones."""

import shlex
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from stepdown.cli import steps
from stepdown.cli.asides import (
    REPEATS_HELP,
    Asides,
    asides_of,
    ask_others,
    ask_repeats,
    ask_synthetic,
    say_asides,
)
from stepdown.cli.ceilings import refuse_too_tight
from stepdown.cli.labelling import BY_HAND, ask_teacher
from stepdown.cli.options import Session, common, print_json
from stepdown.cli.questions import Wanted
from stepdown.cli.reviewing import review
from stepdown.cli.telling import (
    Estimate,
    Paid,
    estimate_json,
    estimate_lines,
    paid_json,
    paid_lines,
    paid_table,
)
from stepdown.core.datasets import Dataset
from stepdown.core.tasks import Task
from stepdown.errors import NotEnoughData, UsageError
from stepdown.render import next_step, progress_bar, say, show

__all__ = ["label"]


@click.command()
@click.argument("task")
@click.option("--teacher", metavar="M", help="A model to pay for more answers.")
@click.option("--max-usd", type=click.FloatRange(min=0), help="The most that --teacher may cost.")
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
        _pay(session, found, Wanted(teacher, **options), asides_of(teacher, **beside))
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


def _pay(session: Session, task: Task, wanted: Wanted, asides: Asides) -> None:
    refuse_too_tight(session, task, wanted.teacher)
    before = ask_repeats(session, task, wanted, asides)
    made, counts = ask_synthetic(session, task, wanted, asides)
    wanted = asides.joined(wanted)
    # Where the log is thin there may be nothing in it to ask.
    alone = made and wanted.count is None
    estimate, paid = (None, made.pop()) if alone else ask_teacher(session, task, wanted)
    if paid is not None and not paid.sitting.stopped:
        before += ask_others(session, task, wanted, asides, paid.run)
    again = session.typed(_same(task, wanted, asides, paid))
    if paid is None:
        _tell_estimate(session, task, asides, estimate)
        next_step(again)
        return
    ended = paid.sitting.stopped and not paid.sitting.capped
    dataset, why = (None, paid.sitting.stopped) if ended else _dataset(session, task)
    if session.json:
        beside: dict[str, Any] = {"written": counts} if counts else {}
        beside |= (
            {"asked_again": [paid_json(one) for one in (*before, *made)]} if before or made else {}
        )
        found = _split(task, dataset) if dataset else {"dataset": None}
        print_json(paid_json(paid) | beside | found)
    else:
        show(paid_table(paid))
    for line in paid_lines(paid):
        say(line)
    if dataset is not None and (paid.sitting.calls or not paid.sitting.capped):
        _tell(session, task, dataset)
        return
    if why:
        say(why)
    next_step(again)
    if paid.sitting.stopped:
        raise click.exceptions.Exit(130 if why == BY_HAND else 1)


def _same(task: Task, wanted: Wanted, asides: Asides, paid: Paid | None) -> str:
    """Return the command that goes on with what was asked for."""
    capped = paid is not None and paid.sitting.capped
    # Under the cap that it has reached it would ask nothing.
    cap = "" if paid and not capped else "X"
    if wanted.max_usd is not None and not capped:
        cap = format(Decimal(repr(wanted.max_usd)), "f").removesuffix(".0")
    given = [
        f"--teacher {shlex.quote(wanted.teacher)}",
        f"-n {wanted.count}" * (wanted.count is not None),
        "--batch" * wanted.batch,
        f"--repeats {asides.repeats}" * (asides.repeats > 0),
        *(f"--also-teacher {shlex.quote(name)}" for name in asides.others),
        f"--synthetic {asides.inputs}" * (asides.inputs > 0),
        f"--max-usd {cap}" * bool(cap),
    ]
    return " ".join(("stepdown label", task.name, *filter(None, given)))


def _tell_estimate(session: Session, task: Task, asides: Asides, estimate: Estimate | None) -> None:
    assert estimate is not None
    teacher = asides.runs[0][0]
    if session.json:
        print_json(estimate_json(task.name, teacher, estimate))
    for line in estimate_lines(task.name, teacher, estimate):
        say(line)
    say_asides(asides, estimate)


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
