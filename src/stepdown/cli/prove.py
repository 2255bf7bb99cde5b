"""`stepdown prove`: the certificate and its report."""

from pathlib import Path

import click

from stepdown.cli import steps
from stepdown.cli.options import Session, common, print_json
from stepdown.render import next_step, progress_bar, proof_summary, say, show
from stepdown.workspace.files import publish_file

__all__ = ["prove"]


@click.command()
@click.argument("task")
@click.option("--html", type=click.Path(path_type=Path, dir_okay=False), help="Copy the report.")
@common
def prove(session: Session, task: str, html: Path | None) -> None:
    """Certify TASK's newest student; exit status 1 and the reason when it isn't."""
    found = session.workspace.task(task)
    with progress_bar() as progress:
        proof = steps.certify(session, found, progress)
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
