"""From a tool task's examples to a Needle student: export, tune, build, start, calibrate."""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

from stepdown.core.datasets import Example
from stepdown.core.fingerprint import canonical_json
from stepdown.core.ports import Progress, Rehearsed
from stepdown.core.records import same_record
from stepdown.core.tasks import Task
from stepdown.errors import NotEnoughData
from stepdown.students.assembly import assembler_of
from stepdown.students.confidence import Confidence
from stepdown.students.confidence_training import fit_confidence, held_out
from stepdown.students.linear.plan import LEAST_EXAMPLES
from stepdown.students.needle.dataset import lines_of, tools_of
from stepdown.students.needle.package import engine_path
from stepdown.students.needle.student import NeedleStudent
from stepdown.students.needle.tuning import NeedleSettings, build
from stepdown.students.needle.worker import Worker
from stepdown.students.novelty.texts import fit_texts

__all__ = ["train_needle"]

_MOST_HELD = 600


def train_needle(
    task: Task,
    examples: Sequence[Example],
    settings: NeedleSettings,
    scratch: Path | None,
    progress: Progress,
) -> NeedleStudent:
    """Return a student of `task` whose calls Needle makes.

    Raises:
        NotEnoughData: the task calls no tools, or too few examples are of its shape.
        Unavailable: the extra, the engine or the published weights are missing.
    """
    if task.anatomy.shape != "tool":
        raise NotEnoughData("Needle calls tools, and this task's answers are no tool calls.")
    assembler = assembler_of(task)
    # Without an engine there would be nothing to run what is trained.
    engine_path()
    held, train = held_out([e for e in examples if e.known], _MOST_HELD)
    if len(train) < LEAST_EXAMPLES:
        raise NotEnoughData(
            f"There are {len(train)} usable training examples and at least {LEAST_EXAMPLES} are "
            "needed; collect or label more calls of this task."
        )
    tools = tools_of(task, train)
    folder = scratch / "needle" if scratch else Path(tempfile.mkdtemp(prefix="stepdown-needle-"))
    archive = build(lines_of(tools, train), settings, folder, progress)
    worker = Worker(archive, canonical_json(tools).decode())
    worker.start()
    student = NeedleStudent(worker, tools, Confidence(), assembler)
    if scratch is None:
        # What is saved is copied: a folder of ours goes with the student.
        weakref.finalize(student, shutil.rmtree, folder, ignore_errors=True)
    student.novelty = fit_texts(examples)
    _rehearse(student, held, progress)
    return student


def _rehearse(student: NeedleStudent, held: Sequence[Example], progress: Progress) -> None:
    """Let the student answer held-out rows; fit its confidence on what came of it."""
    guesses = {}
    for at, example in enumerate(held, 1):
        guesses[example.id] = student.guess(example.input)
        progress("rehearsing", at, len(held))
    pairs = [(e, guesses[e.id].evidence) for e in held]
    said = [(e, evidence) for e, evidence in pairs if evidence is not None]
    right = [same_record(guesses[e.id].record, e.record) for e, _ in said]
    evidence = [evidence for _, evidence in said]
    student.confidence = fit_confidence(evidence, right, len(student.names))
    student.rehearsed = {
        e.id: Rehearsed(guesses[e.id].record, student.confidence(found) if found else None)
        for e, found in pairs
    }
