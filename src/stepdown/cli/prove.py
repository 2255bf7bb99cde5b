"""`stepdown prove`: the certificate and its report."""

from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from stepdown.cli import steps
from stepdown.cli.hosted import ask_behind
from stepdown.cli.options import Session, common, print_json
from stepdown.core.datasets import Dataset
from stepdown.core.ports import Progress, Student
from stepdown.core.tasks import Task
from stepdown.render import next_step, progress_bar, proof_summary, say, show
from stepdown.students.backed import Backed
from stepdown.workspace.files import publish_file

__all__ = ["prove"]


@click.command()
@click.argument("task")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Copy the report.")
@click.option("--gold", is_flag=True, help="Certify against people's answers, not the teacher's.")
@common
def prove(session: Session, task: str, html: Path | None, gold: bool) -> None:
    """Certify TASK's newest student; exit status 1 and the reason when it isn't."""
    found = session.workspace.task(task)
    if gold:
        session = msgspec.structs.replace(session, gold=True, reference="people's answers (gold)")
    with progress_bar() as progress:
        proof = steps.certify(session, found, progress, _asking(session, found, progress))
    report = session.workspace.proofs(found.id) / f"{proof.id}.html"
    if html is not None:
        publish_file(html, report.read_bytes(), mode=0o644)
        report = html
    if session.json:
        print_json(proof)
    else:
        show(proof_summary(proof))
    say(f"The report lies in {report}.")
    if not proof.passed:
        raise SystemExit(1)
    next_step(session.typed(f"stepdown promote {found.name}"))


def _asking(session: Session, task: Task, progress: Progress) -> Callable[[Student, Dataset], None]:
    """Return what asks the model behind a student, where there is one: it is paid for."""

    def prepare(student: Student, dataset: Dataset) -> None:
        if isinstance(student, Backed):
            ask_behind(session, task, dataset, student, progress)

    return prepare
