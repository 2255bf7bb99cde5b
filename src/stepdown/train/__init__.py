"""Training: the climb from the smallest family up, until one can be trained on the data there is.

Not here: how a family trains (`students/`), where its files go (`workspace`), and whether the
student keeps its promise (`prove/`).
"""

import resource
import time
from collections.abc import Sequence

import msgspec

from stepdown.core.datasets import Dataset
from stepdown.core.ports import Family, Progress, Student, silent
from stepdown.core.tasks import Task
from stepdown.errors import NotEnoughData, Refusal

__all__ = ["Rung", "climb"]


class Rung(msgspec.Struct, frozen=True):
    """One family tried on a dataset.

    `student` is None when the rung was skipped, and `skipped` says why. `seconds` is wall time,
    `peak_megabytes` the process's peak resident memory afterwards, `rows` the training examples.
    """

    family: str
    rows: int
    student: Student | None = None
    seconds: float = 0.0
    peak_megabytes: float = 0.0
    skipped: str = ""


def climb(
    task: Task, dataset: Dataset, families: Sequence[Family], progress: Progress = silent
) -> list[Rung]:
    """Train the families in order until one succeeds; return every rung tried, that one last.

    Raises:
        Refusal: no family could be trained; the message holds each one's reason.
    """
    examples = dataset.part("train")
    rungs: list[Rung] = []
    for family in families:
        began = time.monotonic()
        try:
            student = family.train(task, examples, progress)
        except NotEnoughData as error:
            rungs.append(Rung(family.name, len(examples), skipped=str(error)))
            continue
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        took = time.monotonic() - began
        rungs.append(Rung(family.name, len(examples), student, took, peak))
        return rungs
    reasons = " ".join(f"{rung.family}: {rung.skipped}" for rung in rungs)
    raise Refusal(f"No student could be trained for {task.name}. {reasons}")
