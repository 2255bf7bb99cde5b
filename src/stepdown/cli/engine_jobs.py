"""Jobs of the later steps for an engine's workers: rungs trained side by side, rows answered."""

import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from stepdown.cli.opening import open_student
from stepdown.cli.options import Session
from stepdown.core.datasets import Example
from stepdown.core.losses import Loss, loss_of
from stepdown.core.ports import Family, Progress, Rehearsed, Student, silent
from stepdown.core.tasks import Task
from stepdown.prove.outcomes import Answering, Outcome, answer
from stepdown.students.backed import Backed
from stepdown.students.chain import rehearsed_of
from stepdown.train.climb import Against, Rung, attempt
from stepdown.workspace import Workspace

__all__ = ["answering", "rungs_beside"]


class RungJob(msgspec.Struct, frozen=True):
    """A family to train, and where its student's files go."""

    task: Task
    examples: Sequence[Example]
    family: Family
    folder: Path


class RowsJob(msgspec.Struct, frozen=True):
    """Rows for a published student to answer."""

    workspace: Workspace
    task: Task
    student: str
    rows: Sequence[Example]


Trained = tuple[Rung, dict[str, Rehearsed] | None]
"""A rung without its student, and what that rehearsed; None where there is no student."""


def train_rung(job: RungJob) -> Trained:
    """Train one family and save its student."""
    rung = attempt(job.task, job.examples, job.family, silent)
    if rung.student is None:
        return rung, None
    job.folder.mkdir(mode=0o700)
    job.family.save(rung.student, job.folder)
    return msgspec.structs.replace(rung, student=None), dict(rehearsed_of(rung.student))


@contextmanager
def rungs_beside(
    session: Session,
    task: Task,
    families: Sequence[Family],
    examples: Sequence[Example],
    against: Against,
) -> Generator[Callable[[Family], Rung] | None]:
    """Give what tries families on the workers, ahead of the climb; None where there are none.

    The climb alone decides: what was trained and is not asked for is dropped.
    """
    if not session.engine.workers:
        yield None
        return
    rungs: list[Rung] = []
    scratch = session.workspace.folder(task.id) / "scratch"
    scratch.mkdir(mode=0o700, exist_ok=True)
    # Until the end: a student may read its files when it is asked.
    with tempfile.TemporaryDirectory(prefix="rungs-", dir=scratch) as place:

        def job(family: Family) -> RungJob:
            return RungJob(task, examples, family, Path(place) / family.name)

        jobs = (job(family) for family in families if not against(family, rungs))
        found = session.engine.map(train_rung, jobs, ahead=1)

        def tried(family: Family) -> Rung:
            trained = next((one for one in found if one[0].family == family.name), None)
            # Not given away where it had a reason against it by the rungs known then.
            rung, rehearsed = trained or train_rung(job(family))
            if rehearsed is not None:
                student: Any = family.load(Path(place) / family.name, task)
                student.rehearsed = rehearsed
                rung = msgspec.structs.replace(rung, student=student)
            rungs.append(rung)
            return rung

        yield tried


def answer_rows(job: RowsJob) -> list[Outcome]:
    """Let a student answer some rows."""
    student = open_student(job.workspace, job.task, job.student)
    return answer(student, job.rows, loss=loss_of(job.task.anatomy))


def answering(session: Session, task: Task, student: Student) -> Answering:
    """Return what lets the student answer rows: the workers, but for one that waits for a model."""
    if not session.engine.workers or isinstance(student, Backed):
        return answer

    def by_workers(
        student: Student, rows: Sequence[Example], progress: Progress, stage: str, loss: Loss
    ) -> list[Outcome]:
        del loss
        # One part a worker: each has to open the student.
        size = max(-(-len(rows) // session.engine.workers), 1)
        parts = [rows[at : at + size] for at in range(0, len(rows), size)]
        jobs = (RowsJob(session.workspace, task, student.id, part) for part in parts)
        outcomes: list[Outcome] = []
        for found in session.engine.map(answer_rows, jobs):
            outcomes += found
            progress(stage, len(outcomes), len(rows))
        return outcomes

    return by_workers
