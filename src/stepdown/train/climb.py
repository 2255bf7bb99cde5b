"""The climb: the rungs of the ladder, smallest first, until a larger one can't repay itself."""

import os
import resource
import time
from collections.abc import Callable, Sequence

import msgspec

from stepdown.core.anatomy import Anatomy
from stepdown.core.datasets import Dataset, Example
from stepdown.core.fingerprint import canonical_json
from stepdown.core.ports import Family, Progress, Student, silent
from stepdown.core.tasks import Task
from stepdown.errors import NotEnoughData, Refusal, Unavailable
from stepdown.train.estimate import Estimate

__all__ = ["Against", "Rung", "attempt", "climb", "labels_a_class"]


class Rung(msgspec.Struct, frozen=True):
    """One family tried on a dataset.

    `student` is None when the rung was skipped, and `skipped` says why. `parameters` is how many
    the family's model has. `seconds` is wall time, `cpu_seconds` the time of all processors
    together (of processes that it started, too), `peak_megabytes` the process's peak resident
    memory afterwards, `rows` the training examples; `estimate` is what training rows say of it.
    """

    family: str
    rows: int
    parameters: int = 0
    student: Student | None = None
    seconds: float = 0.0
    peak_megabytes: float = 0.0
    skipped: str = ""
    estimate: Estimate | None = None
    cpu_seconds: float = 0.0


Judge = Callable[[Student], Estimate | None]
Against = Callable[[Family, Sequence[Rung]], str]
"""against(family, rungs) → why not to try the family after these rungs, or ""."""


def climb(
    task: Task,
    dataset: Dataset,
    families: Sequence[Family],
    judge: Judge,
    against: Against,
    progress: Progress = silent,
    tried: Callable[[Family], Rung] | None = None,
) -> list[Rung]:
    """Train the families in order, and return every rung with its student or its reason.

    `tried` is asked for each one's rung where they are trained elsewhere.

    A rung that lacks data, weights, memory or an extra is skipped, and so is one with a reason
    `against` it, after what `judge` made of those before: the decision sees training rows alone.

    Raises:
        Refusal: no family could be trained; the message holds each one's reason.
    """
    examples = dataset.part("train")
    rungs: list[Rung] = []
    for family in families:
        reason = against(family, rungs)
        if reason:
            rungs.append(Rung(family.name, len(examples), family.parameters, skipped=reason))
            continue
        rung = tried(family) if tried else attempt(task, examples, family, progress)
        if rung.student is not None:
            rung = msgspec.structs.replace(rung, estimate=judge(rung.student))
        rungs.append(rung)
    if not any(rung.student for rung in rungs):
        reasons = " ".join(f"{rung.family}: {rung.skipped}" for rung in rungs)
        raise Refusal(f"No student could be trained for {task.name}. {reasons}")
    return rungs


def labels_a_class(anatomy: Anatomy, examples: Sequence[Example]) -> float:
    """Return how many training answers there are for each of the task's labels or tools.

    In a task of JSON answers the labels are those of its only choice. Infinite without labels.
    """
    choices = [field for field in anatomy.fields if field.kind == "choice"]
    labels = [field for field in choices if field.path in ("", "/tool")]
    if not labels and len(choices) != 1:
        return float("inf")
    path = (labels or choices)[0].path
    values = [example.record[path] for example in examples if path in example.record]
    return len(values) / max(len({canonical_json(value) for value in values}), 1)


def attempt(
    task: Task, examples: Sequence[Example], family: Family, progress: Progress = silent
) -> Rung:
    """Train one family, or say why it can't be."""
    began, spent = time.monotonic(), _cpu_seconds()
    try:
        student = family.train(task, examples, _named(family.name, progress))
    except (NotEnoughData, Unavailable) as error:
        return Rung(family.name, len(examples), family.parameters, skipped=str(error))
    except MemoryError:
        return Rung(
            family.name,
            len(examples),
            family.parameters,
            skipped="It ran out of memory; train it where there is more, or on fewer rows.",
        )
    return Rung(
        family.name,
        len(examples),
        family.parameters,
        student,
        time.monotonic() - began,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        cpu_seconds=_cpu_seconds() - spent,
    )


def _cpu_seconds() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def _named(family: str, progress: Progress) -> Progress:
    return lambda stage, done, total: progress(f"{family}: {stage}", done, total)
