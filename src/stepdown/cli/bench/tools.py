"""Tool calls: SNIPS with seven tools, and SGD's single-service tool sets."""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from stepdown.cli.bench import students as on
from stepdown.cli.bench.figures import Figure
from stepdown.cli.sets import read_set
from stepdown.core.calls import Answer, Toolset
from stepdown.core.datasets import Example
from stepdown.core.ports import Prediction, Progress, Student
from stepdown.core.stats import cp_interval
from stepdown.errors import Unavailable
from stepdown.wire.openai import parse_toolset

__all__ = ["sgd", "snips"]

CALIBRATION_ROWS = 2000
LEAST_CALLS = 40
FAMILIES = ("linear", "encoder")


def snips(
    data: Path,
    progress: Progress,
    family: str = "linear",
    targets: tuple[float, float, float | None] = (86, 65, 120),
) -> Sequence[Figure]:
    """Learn the tool and its arguments; certify with 2,000 training rows set aside.

    `targets` are those of exact calls, of answered ones, and of the training's seconds.
    """
    rows = [_utterance(raw) for raw in read_set(data, "snips")]
    learnt = [row for row in rows if row.split == "train"]
    task = on.task_of("snips", learnt)
    train = on.examples_of(task, learnt)
    test = on.examples_of(task, [row for row in rows if row.split == "test"])
    student, seconds = on.trained(task, train, progress, family)
    exact = _exact_calls(student, test, targets[0])
    rest, aside = on.split_off(train, CALIBRATION_ROWS)
    smaller, _ = on.trained(task, rest, progress, family)
    got = on.certify(on.judge(smaller, aside), on.judge(smaller, test))
    return [
        exact,
        Figure(
            "SNIPS, answered at joint 2 %, %",
            f"{got.answered:.1%}",
            got.answered * 100,
            targets[1],
            note=f"answered differently: {got.risk:.2%} of all",
        ),
        Figure(
            "SNIPS training, all heads, 13,784 utterances, s",
            f"{seconds:.0f} s",
            seconds,
            targets[2],
            True,
        ),
    ]


def _utterance(raw: dict[str, Any]) -> on.Row:
    given = {name: values[0] for name, values in raw["fields"].items()}
    return on.Row(raw["id"], "", raw["text"], on.calling(raw["label"], given), raw["split"])


def _exact_calls(student: Student, test: Sequence[Example], target: float) -> Figure:
    exact = on.accuracy(on.judge(student, test))
    low, high = cp_interval(round(exact * len(test)), len(test), 0.95)
    return Figure(
        "SNIPS, exact call on test, %",
        f"{exact:.1%}",
        exact * 100,
        target,
        spread=f"95 %: {low:.1%} to {high:.1%}",
        note="tool and all arguments; abstaining counts as wrong",
    )


def _answer(row: dict[str, Any]) -> Answer:
    """Return the call with the canonical value of every argument that has to be given."""
    if not row["expected"]:
        return Answer(text="(no call)")
    call = row["expected"][0]
    left_out = set(call.get("optional", ()))
    given = {name: values[0] for name, values in call["arguments"].items() if name not in left_out}
    return on.calling(call["name"], given)


def _right(prediction: Prediction, row: dict[str, Any]) -> bool:
    """Say whether the call is an accepted one: the tool, and for each argument a listed value."""
    if prediction.answer is None or not prediction.answer.tool_calls or not row["expected"]:
        return False
    call, wanted = prediction.answer.tool_calls[0], row["expected"][0]
    given: dict[str, Any] = json.loads(call.arguments)
    accepted: dict[str, list[Any]] = wanted["arguments"]
    left_out = set(wanted.get("optional", ()))
    return (
        call.name == wanted["name"]
        and all(value in accepted.get(name, ()) for name, value in given.items())
        and all(name in given or name in left_out for name in accepted)
    )


def _row(raw: dict[str, Any]) -> on.Row:
    said = [message for message in raw["messages"] if message["role"] != "system"]
    history = "\n".join(f"{m['role']}: {m['content']}" for m in said[:-1])
    return on.Row(raw["id"], history, said[-1]["content"], _answer(raw), raw["split"])


def _exact(
    raws: Sequence[dict[str, Any]], tools: Toolset, family: str, progress: Progress
) -> float:
    train = [_row(raw) for raw in raws if raw["split"] == "train"]
    judged = [raw for raw in raws if raw["split"] == "validation"]
    task = on.task_of("sgd", train, tools)
    student, _ = on.trained(task, on.examples_of(task, train), progress, family)
    examples = on.examples_of(task, [_row(raw) for raw in judged])
    return mean(
        _right(student.predict(example.input), raw)
        for example, raw in zip(examples, judged, strict=True)
    )


def sgd(data: Path, progress: Progress) -> Sequence[Figure]:
    """Train students for every single-service tool set with 40 training calls or more."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    sets: dict[str, Toolset] = {}
    for raw in read_set(data, "sgd_calls"):
        if len(raw["services"]) == 1:
            tools = parse_toolset(json.dumps(raw["tools"]).encode())
            groups[tools.hash].append(raw)
            sets[tools.hash] = tools
    kept = [key for key in sorted(groups) if _enough([raw["split"] for raw in groups[key]])]
    figures: list[Figure] = []
    means: list[float] = []
    for family in FAMILIES if kept else ():
        try:
            scores = {
                groups[key][0]["services"][0]: _exact(groups[key], sets[key], family, progress)
                for key in kept
            }
        except Unavailable as error:
            progress(f"{family} is left out: {error}", 1, 1)
            continue
        means.append(mean(scores.values()))
        figures += _of_sets(family, scores, means)
    return figures


def _enough(splits: Sequence[str]) -> bool:
    return splits.count("train") >= LEAST_CALLS and "validation" in splits


def _of_sets(family: str, scores: dict[str, float], means: Sequence[float]) -> list[Figure]:
    values = sorted(scores.values())
    more = (
        f"; {100 * (means[-1] - means[0]):+.1f} points to {FAMILIES[0]}" if len(means) > 1 else ""
    )
    return [
        Figure(
            f"SGD, {family}, exact call on validation, mean over tool sets, %",
            f"{means[-1]:.1%}",
            means[-1] * 100,
            spread=f"{values[0]:.0%} to {values[-1]:.0%}, median {float(np.median(values)):.0%}",
            note=f"{len(values)} tool sets; any listed value of an argument counts{more}",
        ),
        *(
            Figure(f"SGD, {family}, {name}, %", f"{v:.1%}", v * 100)
            for name, v in sorted(scores.items())
        ),
    ]
