"""`stepdown status`: where every task stands, and what the gateway has captured."""

from typing import Any

import click
import msgspec

from stepdown.cli import steps
from stepdown.cli.bill import savings_json, tell_savings
from stepdown.cli.gateways import find_gateways, tell_gateways
from stepdown.cli.options import Session, common, print_json
from stepdown.cli.savings import Savings, savings_of
from stepdown.cli.scores import tell_score
from stepdown.cli.stores import captured_calls, database_url
from stepdown.core import display
from stepdown.core.display import plural
from stepdown.core.ports import Tally
from stepdown.core.routes import Route
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError, Refusal
from stepdown.render import next_step, progress_bar, say, show, table
from stepdown.workspace.artefacts import verify_student
from stepdown.workspace.forgotten import read_forgotten
from stepdown.workspace.policies import read_policy

__all__ = ["status"]


class TaskStatus(msgspec.Struct, frozen=True):
    """One task: what was measured, made and decided; None where a step was not done yet.

    `answered` is how many captured calls its student answered, of `captured`. `problem` says why
    the routed student can't be served, `forgotten` how many rows that it learnt from are gone.
    """

    task: str
    name: str
    verdict: str
    dataset: str | None
    student: str | None
    certified: bool | None
    mode: str | None
    threshold: float | None
    captured: int
    answered: int
    problem: str = ""
    forgotten: int = 0


@click.command()
@common
def status(session: Session) -> None:
    """Print each task's dataset, student, proof and route, its calls, and the running gateway."""
    tasks = session.workspace.tasks()
    gateways = find_gateways(session)
    if not tasks and not gateways:
        raise Refusal(
            f"Workspace {session.workspace.root} has no tasks yet; run `stepdown audit LOG` first."
        )
    policy = read_policy(session.workspace.policy)
    with progress_bar() as progress:
        savings = savings_of(session, tasks, progress)
    captured = _tallies(session, savings)
    rows = [_status(session, task, captured) for task in tasks]
    total = sum(tally.count for tally in captured)
    if session.json:
        print_json(
            {
                "generation": policy.generation,
                "captured": total,
                "tasks": rows,
                "decisions": captured,
                "unknown_tasks": session.unknown_tasks(),
                "savings": savings_json(savings),
                "gateways": gateways,
            }
        )
    else:
        _tell_tasks(rows)
        say(f"{display.count(total)} calls captured; policy generation {policy.generation}.")
        tell_score(session)
        tell_savings(savings)
        tell_gateways(gateways)
    waiting = next((row for row in rows if row.verdict == "distil" and not row.mode), None)
    idle = "stepdown models" if gateways else "stepdown serve"
    next_step(session.typed(f"stepdown label {waiting.name}" if waiting else idle))


def _tallies(session: Session, savings: Savings) -> list[Tally]:
    """Return the captured calls counted; counting those of a file anew would read all of it.

    Of a database the ledger does not know what has yet to be moved there.
    """
    if database_url(session) is None:
        return list(savings.tallies)
    return captured_calls(session).tallies()


def _status(session: Session, task: Task, captured: list[Tally]) -> TaskStatus:
    workspace = session.workspace
    dataset = workspace.newest(workspace.folder(task.id), "dataset-*.jsonl")
    student = workspace.newest(workspace.students(task.id), "[!.]*")
    try:
        proof = steps.current_proof(workspace, task)
    except ArtefactError:
        proof = None
    route = read_policy(workspace.policy).routes.get(task.id)
    problem = _problem(session, route)
    gone = read_forgotten(workspace.forgotten).students
    mine = [tally for tally in captured if tally.task == task.id]
    return TaskStatus(
        task=task.id,
        name=task.name,
        verdict=task.verdict.decision,
        dataset=dataset.stem.removeprefix("dataset-") if dataset else None,
        student=student.name if student else None,
        certified=proof.passed if proof else None,
        mode=route.mode if route else None,
        threshold=route.threshold if route else None,
        captured=sum(tally.count for tally in mine),
        answered=sum(tally.count for tally in mine if tally.decision == "answered"),
        problem=problem,
        forgotten=gone.get(route.student if route else student.name if student else "", 0),
    )


def _problem(session: Session, route: Route | None) -> str:
    if route is None:
        return ""
    try:
        verify_student(session.workspace.students(route.task) / route.student)
    except ArtefactError as damaged:
        return str(damaged)
    return ""


def _tell_tasks(rows: list[TaskStatus]) -> None:
    columns = ["task", "verdict", "dataset", "student", "certified", "route", ">answered"]
    show(table("Tasks", columns, [_cells(row) for row in rows], ("dataset", "student")))
    for row in rows:
        if row.problem:
            say(f"{row.name} goes upstream: {row.problem}")
        if row.forgotten:
            say(
                f"{row.name}: its student learnt from {plural(row.forgotten, 'row')} that were "
                "taken out since; label, train and prove it again."
            )


def _cells(row: TaskStatus) -> list[Any]:
    certified = {None: "", True: "yes", False: "no"}[row.certified]
    return [
        row.name,
        row.verdict,
        row.dataset or "",
        row.student or "",
        certified,
        "broken" if row.problem else row.mode or "upstream",
        f"{row.answered:,} of {row.captured:,}" if row.captured else "",
    ]
