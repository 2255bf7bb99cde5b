"""SmolLM2-135M on one task: what it answers before fine-tuning, and after.

The same slots, grammars and scoring on both sides, so that the difference is the training's.
"""

import time
from collections.abc import Sequence
from pathlib import Path

from stepdown.cli.bench import students as on
from stepdown.cli.bench.figures import Figure
from stepdown.core.ports import Progress
from stepdown.core.stats import cp_interval

__all__ = ["generative"]

MODEL = "smollm2-135m-instruct"
TRAIN, TEST = 240, 200
"""Rows that two cores train on and answer in minutes."""


def generative(data: Path, progress: Progress) -> Sequence[Figure]:
    """Which of seven tools a request needs, by the model as it was published and by the tuned one.

    The tools' arguments would take more training than two cores give: of whole calls the same rows
    and steps brought it from none right to 3 in 100.
    """
    rows = on.labels(data, "snips")
    learnt = [row for row in rows if row.split == "train"]
    learnt = learnt[:: len(learnt) // TRAIN][:TRAIN]
    tested = [row for row in rows if row.split == "test"]
    tested = tested[:: len(tested) // TEST][:TEST]
    task = on.task_of("snips", learnt)
    train, test = on.examples_of(task, learnt), on.examples_of(task, tested)
    student, seconds = on.trained(task, train, progress, f"generative:{MODEL}")
    after, ms = _answered(student, test)
    before, _ = _answered(_untrained(student), test)
    hardware = "GPU" if _on_gpu() else "CPU"
    return [
        _figure("before fine-tuning", before, len(test), f"{MODEL} as published"),
        _figure(
            "after fine-tuning",
            after,
            len(test),
            f"{len(train)} training rows, trained in {seconds:.0f} s on the {hardware}; "
            f"{ms:.0f} ms a row",
        ),
    ]


def _answered(student: on.Student, test: Sequence[on.Example]) -> tuple[float, float]:
    began = time.monotonic()
    share = on.accuracy(on.judge(student, test))
    return share, (time.monotonic() - began) / len(test) * 1000


def _untrained(student: on.Student) -> on.Student:
    from stepdown.students.generative.llama import LlamaEngine
    from stepdown.students.generative.student import GenerativeStudent
    from stepdown.students.weights import find_weights

    assert isinstance(student, GenerativeStudent)
    return student.with_engine(LlamaEngine(find_weights(MODEL, "generative").path))


def _on_gpu() -> bool:
    from stepdown.students.generative.lora import on_gpu

    return on_gpu()


def _figure(name: str, share: float, rows: int, note: str) -> Figure:
    low, high = cp_interval(round(share * rows), rows, 0.95)
    return Figure(
        f"SNIPS, the right tool on {rows} test rows, {name}, %",
        f"{share:.1%}",
        share * 100,
        None,
        spread=f"95 %: {low:.1%} to {high:.1%}",
        note=note,
    )
