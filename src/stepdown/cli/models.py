"""`stepdown models`: the models that students start from, and the students of the workspace."""

from collections.abc import Iterator
from typing import Any

import click
import msgspec

from stepdown import plugins
from stepdown.cli.options import Session, common, print_json
from stepdown.core import display
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError
from stepdown.render import next_step, say, show, table
from stepdown.students.catalogue import Entry, catalogue
from stepdown.workspace.artefacts import Manifest, verify_student
from stepdown.workspace.policies import read_policy

__all__ = ["models"]


@click.command()
@common
def models(session: Session) -> None:
    """List the known models, and every student of the workspace with its size and route."""
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
        known = [msgspec.to_builtins(entry) for entry in catalogue()]
        found = {"families": families, "models": known, "students": rows, "refused": refused}
        print_json(found)
        return
    say(f"Families: {', '.join(families)}.")
    _tell_known()
    show(table("Students", _STUDENT_COLUMNS, [_student_row(row) for row in rows], ("size", "made")))
    for line in refused:
        say(line)
    next_step(session.typed("stepdown status"))


def _tell_known() -> None:
    show(
        table("Models", _MODEL_COLUMNS, [_model_row(entry) for entry in catalogue()], ("context",))
    )
    say("Any other model: `stepdown train TASK --family FAMILY:NAME`, a hub's name or a folder.")
    for entry in catalogue():
        if entry.figures:
            found = "; ".join(_figure(*item) for item in entry.figures.items())
            say(f"Measured with {entry.name}: {found}.")
    say("Where each one's weights are and their hashes: `stepdown models --json`.")


def _figure(name: str, value: float) -> str:
    """Return a figure with its unit, which stands after the last comma of its name, behind it."""
    what, _, unit = name.rpartition(", ")
    return f"{what}: {value:g} {unit}"


_MODEL_COLUMNS = ["model", "family", ">params", ">context", "licence", "weights"]


def _model_row(entry: Entry) -> list[str]:
    return [
        entry.name,
        entry.family,
        f"{entry.parameters / 1e6:,.1f} M" if entry.parameters is not None else display.UNKNOWN,
        display.count(entry.context),
        entry.licence,
        "+".join(origin.source for origin in entry.origins),
    ]


_STUDENT_COLUMNS = ["task", "student", "family", ">size", ">rows", "made", "routed"]


def _student_row(row: dict[str, Any]) -> list[str]:
    return [
        row["task"],
        row["student"],
        row["family"],
        display.bytes_size(row["bytes"]),
        display.count(row["rows"]),
        row["made_at"][:10],
        "yes" if row["routed"] else "",
    ]


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
