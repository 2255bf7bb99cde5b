"""Whole contracts (CUAD): three fields of documents of up to 340,000 characters."""

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from stepdown.cli.bench import students as on
from stepdown.cli.bench.figures import Figure
from stepdown.cli.sets import read_set
from stepdown.core.calls import Answer
from stepdown.core.datasets import Example
from stepdown.core.ports import Progress, Student
from stepdown.core.records import same_value
from stepdown.core.stats import cp_interval
from stepdown.errors import Unavailable

__all__ = ["contracts"]

_FIELDS = ("governing_law", "agreement_date", "expiration_date")
FAMILIES = ("linear", "encoder")
_PERPETUAL = "perpetual"


def _value(row: dict[str, Any], field: str) -> Any:
    """Return the data's own normal form: ISO dates, "perpetual" in lower case, the law as it is.

    A date with blanks in the source has no normal form: it counts as not given.
    """
    if field in row["normalized"]:
        return row["normalized"][field]
    written = row["fields"].get(field)
    if field == "governing_law" or written is None:
        return written
    return _PERPETUAL if written.lower() == _PERPETUAL else None


def _rows(data: Path) -> list[on.Row]:
    return [
        on.Row(
            row["id"],
            "",
            row["text"],
            Answer(text=json.dumps({field: _value(row, field) for field in _FIELDS})),
            row["split"],
        )
        for row in read_set(data, "cuad/contracts")
    ]


def contracts(data: Path, progress: Progress) -> Sequence[Figure]:
    """Train on CUAD's training contracts; score each field on the test contracts, and the time."""
    rows = _rows(data)
    learnt = [row for row in rows if row.split == "train"]
    task = on.task_of("contracts", learnt)
    train = on.examples_of(task, learnt)
    test = on.examples_of(task, [row for row in rows if row.split == "test"])
    figures: list[Figure] = []
    for family in FAMILIES:
        try:
            student, seconds = on.trained(task, train, progress, family)
        except Unavailable as error:
            progress(f"{family} is left out: {error}", 1, 1)
            continue
        figures += [*_exact(family, student, test, seconds), *_times(family, student, test)]
    return figures


def _exact(family: str, student: Student, test: Sequence[Example], seconds: float) -> list[Figure]:
    records = [student.predict(example.input).record for example in test]
    figures: list[Figure] = []
    for field in _FIELDS:
        path = f"/{field}"
        right = sum(
            same_value(record.get(path), example.record.get(path))
            for record, example in zip(records, test, strict=True)
        )
        low, high = cp_interval(right, len(test), 0.95)
        share = right / len(test)
        figures.append(
            Figure(
                f"CUAD, {family}, {field.replace('_', ' ')}, exact, %",
                f"{share:.1%}",
                share * 100,
                spread=f"95 %: {low:.0%} to {high:.0%}",
                note=f"{len(test)} contracts; trained in {seconds:.0f} s",
            )
        )
    return figures


def _times(family: str, student: Student, test: Sequence[Example]) -> list[Figure]:
    longest = max(test, key=lambda example: len(example.input[0].text))
    chars = len(longest.input[0].text)
    times = (on.latencies(student, test, len(test)), on.latencies(student, [longest], 20))
    names = ("one contract", f"the longest contract ({chars:,} characters)")
    return [
        Figure(f"CUAD, {family}, {name}, p50, ms", f"{median(ms):.0f} ms", median(ms))
        for name, ms in zip(names, times, strict=True)
    ]
