"""`stepdown train`: the smallest student that the data allows."""

import click

from stepdown.cli import steps
from stepdown.cli.options import Session, common, print_json
from stepdown.core import display
from stepdown.render import next_step, progress_bar, show, table

__all__ = ["train"]


@click.command()
@click.argument("task")
@click.option("--family", metavar="F", help="Train this family alone; default: climb the ladder.")
@common
def train(session: Session, task: str, family: str | None) -> None:
    """Train a student for TASK on its dataset's train part."""
    found = session.workspace.task(task)
    dataset = steps.current_dataset(session.workspace, found)
    with progress_bar() as progress:
        trained = steps.train_task(session, found, dataset, family, progress)
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
            }
        )
    else:
        rows = [
            [
                rung.family,
                display.count(rung.rows),
                f"{rung.seconds:.1f} s" if rung.student else "",
                display.bytes_size(manifest.size_bytes) if rung.student else "",
                manifest.id if rung.student else f"skipped: {rung.skipped}",
            ]
            for rung in trained.rungs
        ]
        show(table(found.name, ["rung", ">rows", ">trained in", ">size", "student"], rows))
    next_step(session.typed(f"stepdown prove {found.name}"))
