"""A measured figure, the machine it was measured on, and how figures are written down."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

__all__ = ["Figure", "hardware", "markdown", "met", "with_section"]


class Figure(msgspec.Struct, frozen=True):
    """One figure: what was measured, its value and spread as text, and the target, if one is set.

    `number` is the value to compare with `target`; `at_most` says on which side it has to be.
    """

    name: str
    value: str
    number: float
    target: float | None = None
    at_most: bool = False
    spread: str = ""
    note: str = ""


def met(figure: Figure) -> str:
    """Say whether the target is met: "yes", "no", or "" without one."""
    if figure.target is None:
        return ""
    right = figure.number <= figure.target if figure.at_most else figure.number >= figure.target
    return "yes" if right else "no"


def hardware() -> str:
    """Name the processor, the cores that this process may use, and the Python version."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, Python {platform.python_version()}"


_HEAD = (
    "# Benchmarks\n\n"
    "Every figure here was printed by `stepdown bench --data DIR --markdown FILE` from the public "
    "data sets in DIR; each\nsection says by which command, on which machine and when. Times are "
    "medians on a shared machine: read ratios, not\nabsolutes. The reference of every agreement is "
    "the data sets' human labels, standing in for a teacher's answers.\n"
)


def markdown(name: str, figures: Sequence[Figure]) -> str:
    """Return one benchmark's section of docs/benchmarks.md: its command, the machine, a table."""
    today = datetime.now(UTC).date().isoformat()
    parts = [
        f"\n## {name}\n\n`stepdown bench --data DIR --only {name}`, {hardware()}, {today}\n\n",
        "| figure | measured | target | met | spread | note |\n"
        "| --- | --- | --- | --- | --- | --- |\n",
    ]
    for figure in figures:
        sign = "≤" if figure.at_most else "≥"
        target = "" if figure.target is None else f"{sign} {figure.target:g}"
        row = (figure.name, figure.value, target, met(figure), figure.spread, figure.note)
        parts.append("| " + " | ".join(row) + " |\n")
    return "".join(parts)


def with_section(page: str, name: str, section: str, order: Sequence[str]) -> str:
    """Return the page with the benchmark's section new, and all sections in the given order.

    What is no section of a benchmark is dropped: the page holds what was measured and no more.
    """
    found = {part.partition("\n")[0]: f"\n## {part}" for part in page.split("\n## ")[1:]}
    found[name] = section
    kept = [found[one].rstrip("\n") + "\n" for one in order if one in found]
    return _HEAD + "".join(kept)
