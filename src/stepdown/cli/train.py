"""`stepdown train`: the smallest student that the data allows."""

import click

from stepdown.cli import steps
from stepdown.cli.ceilings import refuse_too_tight
from stepdown.cli.hosted import ask_hosted
from stepdown.cli.ladder import train_task
from stepdown.cli.options import Session, common, print_json
from stepdown.cli.weighing import LADDER_COLUMNS, ladder_rows
from stepdown.core import display
from stepdown.render import next_step, progress_bar, say, show, table

__all__ = ["train"]


@click.command()
@click.argument("task")
@click.option("--family", metavar="F", help="Train this family alone; default: climb the ladder.")
@click.option(
    "--mid",
    is_flag=True,
    help="Also ask the model of [tiers.mid] the calibration rows; it is paid.",
)
@common
def train(session: Session, task: str, family: str | None, mid: bool) -> None:
    """Train a student for TASK on its dataset's train part."""
    found = session.workspace.task(task)
    refuse_too_tight(session, found)
    dataset = steps.current_dataset(session.workspace, found)
    with progress_bar() as progress:
        hosted = ask_hosted(session, found, dataset, progress) if mid else None
        trained = train_task(session, found, dataset, family, progress, hosted)
    manifest = trained.manifest
    if session.json:
        print_json(
            {
                "task": found.name,
                "student": manifest.id,
                "family": manifest.family,
                "dataset": dataset.id,
                "bytes": manifest.size_bytes,
                "training": manifest.training,
                "folder": str(trained.folder),
                "ladder": trained.steps,
                "doubted": len(trained.doubted),
            }
        )
    else:
        show(table(found.name, LADDER_COLUMNS, ladder_rows(trained.steps)))
        for step in trained.steps:
            say(f"{step.rung}: {step.why}")
        if trained.doubted:
            say(
                f"{display.plural(len(trained.doubted), 'training answer')} may be a slip of the "
                f"teacher's: see doubts-{dataset.id}.jsonl beside the dataset."
            )
        say(f"Student {manifest.id}, trained on {display.count(len(dataset.part('train')))} rows.")
    next_step(session.typed(f"stepdown prove {found.name}"))
