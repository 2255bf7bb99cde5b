"""`stepdown forget`: what is held of somebody, or has been held for too long, is taken out."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from stepdown.cli.expiring import expire_spooled
from stepdown.cli.forgetting import TaskForgotten, forget_in_task
from stepdown.cli.holdings import Holdings, holdings, spools
from stepdown.cli.keeping import clear_stores
from stepdown.cli.options import Session, common, print_json
from stepdown.core.calls import DAY_S
from stepdown.core.datasets import Example
from stepdown.core.display import count, plural
from stepdown.core.fingerprint import canonical_json
from stepdown.core.people import mark_of
from stepdown.core.ports import Progress
from stepdown.errors import ConfigError, Refusal, UsageError
from stepdown.logs.rewriting import without_lines
from stepdown.render import next_step, progress_bar, say
from stepdown.store.cleaning import drop_responses, take_out
from stepdown.workspace.files import publish_file
from stepdown.workspace.forgotten import note_forgotten

__all__ = ["Report", "forget"]


class Report(msgspec.Struct):
    """What was taken out: captured calls, paid labels, records of spooled logs, rows of tasks.

    `calls` of theirs were found in all, `logs` lie elsewhere and hold what they did.
    """

    calls: int = 0
    captured: int = 0
    labels: int = 0
    spooled: int = 0
    tasks: list[TaskForgotten] = []
    logs: list[str] = []
    problem: str = ""


@click.command()
@click.argument("user", required=False)
@click.option("--expired", is_flag=True, help="Take out what is older than [store] keep_days.")
@common
def forget(session: Session, user: str | None, expired: bool) -> None:
    """Take out all that is held of USER: the name that calls give as user or group."""
    if (user is None) is not expired:
        raise UsageError("Name a USER, or say --expired; not both.")
    if not session.workspace.root.is_dir():
        raise Refusal(f"There is no workspace {session.workspace.root}; name it by --workspace.")
    _confirm(session, user)
    with progress_bar() as progress:
        report = _forgotten(session, mark_of(user), progress) if user else _expired(session)
    students = {one: rows for task in report.tasks for one, rows in task.students.items()}
    note_forgotten(session.workspace.forgotten, students=students)
    if session.json:
        print_json(report)
    _tell(report)
    again = next((task.task for task in report.tasks if task.students), None)
    next_step(session.typed(f"stepdown label {again}" if again else "stepdown status"))


def _confirm(session: Session, user: str | None) -> None:
    if session.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("What is taken out is gone, and nobody is there to be asked; add --yes.")
    whose = f"of {user!r}" if user else f"older than {session.config.store.keep_days} days"
    asked = f"All that {session.workspace.root} holds {whose} will be gone. Go on?"
    if not click.confirm(asked, err=True):
        raise Refusal("Nothing was taken out.")


def _forgotten(session: Session, mark: str, progress: Progress) -> Report:
    report = Report()
    journal = session.workspace.root / f"forgetting-{mark}.json"
    theirs = holdings(session, mark, progress)
    report.captured, report.problem = theirs.captured, theirs.problem
    if journal.exists():
        # Somebody was killed in between: what is no longer in the stores may be in other files.
        theirs.ids |= msgspec.json.decode(journal.read_bytes(), type=set[str])
    publish_file(journal, canonical_json(sorted(theirs.ids)))
    report.calls = len(theirs.ids)
    # From here on a gateway takes out what it has, and logs that are read again pass over them.
    note_forgotten(session.workspace.forgotten, {mark: time.time()})

    _from_tasks(session, theirs.has_row, theirs, report)
    report.labels = take_out(session.workspace.labels, mark, theirs.ids)
    for path in spools(session):
        report.spooled += without_lines(path, theirs.has_line)
    clear_stores(session)
    journal.unlink()
    return report


def _expired(session: Session) -> Report:
    days = session.config.store.keep_days
    if days is None:
        raise ConfigError("Nothing expires: set keep_days under [store] in stepdown.toml.")
    report, before = Report(), time.time() - days * DAY_S
    _from_tasks(
        session, lambda row: row.time is not None and row.time < before, Holdings(""), report
    )
    report.labels = drop_responses(session.workspace.labels, before)
    for path in spools(session):
        report.spooled += expire_spooled(session, path, before)
    report.captured = clear_stores(session, before=before)
    return report


def _from_tasks(
    session: Session, gone: Callable[[Example], bool], theirs: Holdings, report: Report
) -> None:
    for task in session.workspace.tasks():
        told = forget_in_task(session, task, gone, theirs.ids, theirs.said.get(task.id, ()))
        if told.rows or told.proofs:
            report.tasks.append(told)
        outside = (log for log in task.sources if not _is_ours(session, log))
        report.logs += [log for log in outside if log not in report.logs]


def _is_ours(session: Session, log: str) -> bool:
    return Path(log).resolve().is_relative_to(session.workspace.root.resolve())


def _tell(report: Report) -> None:
    rows = sum(task.rows for task in report.tasks)
    say(
        f"Taken out: {plural(report.captured, 'captured call')}, {plural(report.labels, 'label')}, "
        f"{count(report.spooled)} of a spooled log, {plural(rows, 'row')} of datasets."
    )
    for task in report.tasks:
        for student, learnt in task.students.items():
            say(
                f"{task.task}: student {student} learnt from {plural(learnt, 'row')} of it and "
                "answers on; label, train and prove the task again."
            )
        for proof in task.proofs:
            say(f"{task.task}: proof {proof} showed some of it and is removed.")
    if report.logs:
        say(
            "These logs lie elsewhere and were not changed; what is theirs is passed over when "
            f"they are read again: {', '.join(report.logs)}"
        )
    if report.problem:
        say(report.problem)
