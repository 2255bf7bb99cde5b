"""Spans of conversations (DSTC8) and whole receipts (SROIE) by the linear family."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from stepdown.cli.bench import students as on
from stepdown.cli.bench.figures import Figure
from stepdown.cli.sets import read_set
from stepdown.core.anatomy import Field
from stepdown.core.datasets import Example
from stepdown.core.ports import Prediction, Progress
from stepdown.core.stats import cp_interval
from stepdown.students.spans import SpanModel, train_spans

__all__ = ["receipts", "spans"]


def _train_spans(rows: Sequence[dict[str, Any]]) -> SpanModel:
    names = sorted({name for row in rows for name in row["fields"]})
    records = [{f"/{name}": value for name, value in row["fields"].items()} for row in rows]
    fields = [Field(f"/{name}", "copy", many=True) for name in names]
    return train_spans([row["text"] for row in rows], records, fields)


def _f1(model: SpanModel, rows: Sequence[dict[str, Any]]) -> float:
    """Return the exact-span F1: every value counts, in any order."""
    hits = found = wanted = 0
    for row in rows:
        guess = model.predict(row["text"])
        right = {(name, item) for name, items in row["fields"].items() for item in items}
        guessed = {(path[1:], item) for path, g in guess.items() for item in g.value or ()}
        hits += len(right & guessed)
        found += len(guessed)
        wanted += len(right)
    return 2 * hits / (found + wanted) if found + wanted else 1.0


def spans(data: Path, progress: Progress) -> Sequence[Figure]:
    """Train one span model for each of DSTC8's four domains and score its test split."""
    rows = list(read_set(data, "dstc8_spans"))
    scores: dict[str, float] = {}
    began = time.monotonic()
    domains = sorted({row["domain"] for row in rows})
    for at, domain in enumerate(domains):
        progress("spans", at, len(domains))
        mine = [row for row in rows if row["domain"] == domain]
        model = _train_spans([row for row in mine if row["split"] == "train"])
        scores[domain] = _f1(model, [row for row in mine if row["split"] == "test"])
    seconds = time.monotonic() - began
    spread = ", ".join(f"{domain.split('_')[0]} {score:.3f}" for domain, score in scores.items())
    average = mean(scores.values())
    return [
        Figure(
            "DSTC8 exact-span F1, mean of four domains",
            f"{average:.4f}",
            average,
            0.93,
            spread=spread,
            note=f"all four trained and scored in {seconds:.0f} s",
        )
    ]


def _letters(value: Any) -> str:
    return "".join(c for c in str(value or "").lower() if c.isalnum())


def _alike(prediction: Prediction, example: Example) -> bool:
    paths = set(prediction.record) | set(example.record)
    return all(
        _letters(prediction.record.get(path)) == _letters(example.record.get(path))
        for path in paths
    )


def receipts(
    data: Path, progress: Progress, family: str = "linear", target: float = 65
) -> Sequence[Figure]:
    """Train on SROIE's receipts; score all four fields together, by letters and digits alone."""
    rows = on.objects(data, "sroie")
    train = [row for row in rows if row.split == "train"]
    task = on.task_of("receipts", train)
    student, seconds = on.trained(task, on.examples_of(task, train), progress, family)
    test = on.examples_of(task, [row for row in rows if row.split == "test"])
    guesses = [(student.predict(example.input), example) for example in test]
    right = sum(_alike(guess, example) for guess, example in guesses)
    low, high = cp_interval(right, len(test), 0.95)
    figures = [
        Figure(
            "SROIE, all four fields right, %",
            f"{right / len(test):.1%}",
            right / len(test) * 100,
            target,
            spread=f"95 %: {low:.0%} to {high:.0%}",
            note=f"{len(test)} receipts; trained in {seconds:.0f} s",
        )
    ]
    for path in sorted(test[0].record):
        good = sum(
            _letters(guess.record.get(path)) == _letters(example.record.get(path))
            for guess, example in guesses
        )
        share = good / len(test)
        figures.append(Figure(f"SROIE, {path[1:]}, %", f"{share:.1%}", share * 100))
    return figures
