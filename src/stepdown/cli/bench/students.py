"""What the students' benchmarks share: data sets as tasks, judged predictions, certificates."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown import plugins
from stepdown.audit.anatomy import dissect
from stepdown.audit.sample import Sampled
from stepdown.cli.sets import read_set
from stepdown.core.calls import NO_TOOLS, PLAIN_TEXT, Answer, ToolCall, Toolset
from stepdown.core.datasets import Example
from stepdown.core.ports import Prediction, Progress, Student, silent
from stepdown.core.records import read_answer, same_record
from stepdown.core.stats import fixed_sequence
from stepdown.core.tasks import Segment, Signature, Task, Verdict

__all__ = [
    "BUDGET",
    "Coverage",
    "Judged",
    "Row",
    "accuracy",
    "certify",
    "examples_of",
    "judge",
    "labels",
    "latencies",
    "objects",
    "split_off",
    "task_of",
    "trained",
    "violations",
    "violations_on_rest",
]

BUDGET = 0.02
DELTA = 0.05
Right = Callable[[Prediction, Example], bool]


class Row(msgspec.Struct, frozen=True):
    """One row: the history and last message, the answer to learn, and the source's split."""

    id: str
    history: str
    text: str
    answer: Answer
    split: str


class Judged(msgspec.Struct, frozen=True):
    """Predictions judged: `scores` (−1 where the student abstains) and whether each is wrong."""

    scores: NDArray[np.float64]
    wrong: NDArray[np.bool_]


class Coverage(msgspec.Struct, frozen=True):
    """A certificate applied: the shares of rows answered, and answered wrongly."""

    answered: float
    risk: float


def labels(data: Path, name: str) -> list[Row]:
    """Return a classification set's rows; the label is the answer."""
    return [
        Row(r["id"], "", r["text"], Answer(text=r["label"]), r["split"])
        for r in read_set(data, name)
    ]


def objects(data: Path, name: str) -> list[Row]:
    """Return an extraction set's rows; the answer is the JSON object of its fields."""
    return [
        Row(
            r["id"],
            "",
            r["text"],
            Answer(text=json.dumps(r["fields"], ensure_ascii=False)),
            r["split"],
        )
        for r in read_set(data, name)
    ]


def calling(name: str, arguments: dict[str, Any]) -> Answer:
    """Return the answer that calls one tool."""
    return Answer(tool_calls=(ToolCall(name, json.dumps(arguments, ensure_ascii=False)),))


def task_of(name: str, rows: Sequence[Row], tools: Toolset = NO_TOOLS) -> Task:
    """Return the task that an audit of the rows finds."""
    sample = [Sampled(("", row.history, row.text), row.answer) for row in rows]
    anatomy = dissect(sample, Signature(), tools, PLAIN_TEXT).anatomy
    tools_json = msgspec.json.encode(tools.tools).decode()
    return Task(name, name, Signature(), anatomy, Verdict("distil"), tools_json=tools_json)


def examples_of(task: Task, rows: Sequence[Row]) -> list[Example]:
    """Return the rows as examples, all of split train."""
    found: list[Example] = []
    for row in rows:
        record = read_answer(row.answer, task.anatomy.shape)
        parts = (Segment("history", row.history), Segment("user", row.text))
        given = tuple(part for part in parts if part.text)
        found.append(Example(row.id, given, record or {}, record is not None))
    return found


def trained(
    task: Task, examples: Sequence[Example], progress: Progress = silent, family: str = "linear"
) -> tuple[Student, float]:
    """Train a family; return the student and the seconds it took."""
    began = time.monotonic()
    student = plugins.family(family).train(task, examples, progress)
    return student, time.monotonic() - began


def _agrees(prediction: Prediction, example: Example) -> bool:
    return example.known and same_record(prediction.record, example.record)


def judge(student: Student, examples: Sequence[Example], right: Right = _agrees) -> Judged:
    """Predict every example and compare."""
    guesses = [(student.predict(example.input), example) for example in examples]
    scores = [-1.0 if guess.answer is None else guess.confidence for guess, _ in guesses]
    wrong = [not right(guess, example) for guess, example in guesses]
    return Judged(np.array(scores, float), np.array(wrong, bool))


def accuracy(judged: Judged) -> float:
    """Return the share answered rightly when everything is answered that can be."""
    return float(1 - (judged.wrong | (judged.scores < 0)).mean())


def certify(calibration: Judged, test: Judged) -> Coverage:
    """Certify the joint contract at `BUDGET` on the calibration rows, apply it to the test rows."""
    threshold = fixed_sequence(calibration.scores, calibration.wrong, BUDGET, DELTA)
    if threshold is None:
        return Coverage(0.0, 0.0)
    answered = test.scores >= threshold
    return Coverage(float(answered.mean()), float((answered & test.wrong).mean()))


def violations(pool: Judged, calibration_rows: int, draws: int) -> tuple[int, float]:
    """Return in how many of `draws` the certified risk is over budget, and the mean coverage.

    The pool, which trained nothing, is the population: calibration rows are drawn from it with
    replacement, independent as the theorem wants them, and the true risk of the threshold is that
    over the whole pool.
    """
    random = np.random.default_rng(0)
    size = len(pool.scores)
    found = [
        certify(_some(pool, random.integers(0, size, calibration_rows)), pool) for _ in range(draws)
    ]
    return _count(found)


def violations_on_rest(pool: Judged, calibration_rows: int, draws: int) -> tuple[int, float]:
    """Return the same for calibration rows drawn without replacement and the risk on the others.

    This also counts when a threshold that keeps the budget meets an unlucky rest, so it may come
    oftener than the confidence says.
    """
    random = np.random.default_rng(0)
    found: list[Coverage] = []
    for _ in range(draws):
        order = random.permutation(len(pool.scores))
        inside, outside = order[:calibration_rows], order[calibration_rows:]
        found.append(certify(_some(pool, inside), _some(pool, outside)))
    return _count(found)


def _some(pool: Judged, rows: NDArray[np.int64]) -> Judged:
    return Judged(pool.scores[rows], pool.wrong[rows])


def _count(found: Sequence[Coverage]) -> tuple[int, float]:
    broken = sum(got.risk > BUDGET for got in found)
    return broken, sum(got.answered for got in found) / len(found)


def latencies(student: Student, examples: Sequence[Example], count: int = 3000) -> Sequence[float]:
    """Return the milliseconds of `count` single predictions, after as many to warm up as there are
    examples.
    """
    for example in examples:
        student.predict(example.input)
    times: list[float] = []
    for at in range(count):
        given = examples[at % len(examples)].input
        began = time.perf_counter_ns()
        student.predict(given)
        times.append((time.perf_counter_ns() - began) / 1e6)
    return times


def split_off(examples: Sequence[Example], count: int) -> tuple[list[Example], list[Example]]:
    """Return (the rest, `count` random examples); the same ones every time."""
    order = np.random.default_rng(0).permutation(len(examples)).tolist()
    return [examples[at] for at in order[count:]], [examples[at] for at in order[:count]]
