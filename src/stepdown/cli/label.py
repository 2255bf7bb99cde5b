"""`stepdown label`: a task's dataset, from the teacher's answers that the log already holds."""

from pathlib import Path

import click

from stepdown.cli import steps
from stepdown.cli.options import Session, common, print_json
from stepdown.cli.reviewing import review
from stepdown.errors import UsageError
from stepdown.render import next_step, progress_bar, say

__all__ = ["label"]


@click.command()
@click.argument("task")
@click.option("--teacher", metavar="M", help="A model to ask for more answers.")
@click.option("--max-usd", type=click.FloatRange(min=0), help="The most that --teacher may spend.")
@click.option("-n", "count", type=click.IntRange(min=1), help="How many answers to ask for.")
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
    max_usd: float | None,
    count: int | None,
    reviewing: bool,
    html: Path | None,
) -> None:
    """Split TASK's logged calls into train, calibration and test with nothing on two sides."""
    if reviewing:
        review(session, session.workspace.task(task), count, html)
        return
    if teacher or max_usd is not None or count is not None:
        raise UsageError(
            "This version labels from the log alone and pays no teacher; leave out --teacher, "
            "--max-usd and -n, and collect more calls with `stepdown serve`."
        )
    found = session.workspace.task(task)
    with progress_bar() as progress:
        dataset = steps.label_task(session, found, progress)
    if session.json:
        print_json({"task": found.name, "dataset": dataset.id, "split": dataset.report})
    report = dataset.report
    say(
        f"{found.name}: {report.train:,} examples to train on, {report.calibration:,} to certify "
        f"with, {report.test:,} to test; {report.dropped_duplicates:,} repeats left out."
    )
    next_step(session.typed(f"stepdown train {found.name}"))
