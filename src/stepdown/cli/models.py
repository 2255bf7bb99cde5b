"""`stepdown models`: the families that can be trained, and the students that were."""

from collections.abc import Iterator
from typing import Any

import click

from stepdown import plugins
from stepdown.cli.options import Session, common, print_json
from stepdown.core import display
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError
from stepdown.render import next_step, say, show, table
from stepdown.workspace.artefacts import Manifest, verify_student
from stepdown.workspace.policies import read_policy

__all__ = ["models"]


@click.command()
@common
def models(session: Session) -> None:
    """List student families, and every student of the workspace with its size and route."""
    families = plugins.families()
    policy = read_policy(session.workspace.policy)
    routed = {route.student for route in policy.routes.values()}
    rows: list[dict[str, Any]] = []
    refused: list[str] = []
    for task in session.workspace.tasks():
        for found in _students(session, task):
            if isinstance(found, Manifest):
                rows.append(_row(task, found, routed))
            else:
                refused.append(f"{task.name}: {found}")
    if session.json:
        print_json({"families": families, "students": rows, "refused": refused})
        return
    say(f"Families: {', '.join(families)}.")
    columns = ["task", "student", "family", ">size", ">rows", "made", "routed"]
    show(
        table(
            "Students",
            columns,
            [
                [
                    row["task"],
                    row["student"],
                    row["family"],
                    display.bytes_size(row["bytes"]),
                    display.count(row["rows"]),
                    row["made_at"][:10],
                    "yes" if row["routed"] else "",
                ]
                for row in rows
            ],
        )
    )
    for line in refused:
        say(line)
    next_step(session.typed("stepdown status"))


def _students(session: Session, task: Task) -> Iterator[Manifest | str]:
    """Yield each student's manifest, or why it is refused: one bad student hides no other."""
    for folder in sorted(session.workspace.students(task.id).glob("[!.]*")):
        try:
            yield verify_student(folder)
        except ArtefactError as error:
            yield str(error)


def _row(task: Task, manifest: Manifest, routed: set[str]) -> dict[str, Any]:
    return {
        "task": task.name,
        "student": manifest.id,
        "family": manifest.family,
        "dataset": manifest.dataset,
        "bytes": manifest.size_bytes,
        "rows": manifest.training.get("rows"),
        "made_at": manifest.made_at,
        "routed": manifest.id in routed,
    }
