"""A measured figure, the machine it was measured on, and how figures are written down."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

__all__ = ["Figure", "breaks", "hardware", "markdown", "met", "with_section"]


class Figure(msgspec.Struct, frozen=True):
    """One figure: what was measured, its value and spread as text, and the target, if one is set.

    `number` is the value to compare with `target`; `at_most` says on which side it has to be.
    `must` is for counts, which no machine's mood excuses: the command fails where it is not met.
    """

    name: str
    value: str
    number: float
    target: float | None = None
    at_most: bool = False
    spread: str = ""
    note: str = ""
    must: bool = False


def met(figure: Figure) -> str:
    """Say whether the target is met: "yes", "no", or "" without one."""
    if figure.target is None:
        return ""
    right = figure.number <= figure.target if figure.at_most else figure.number >= figure.target
    return "yes" if right else "no"


def breaks(figure: Figure) -> bool:
    """Say whether the figure must meet its target and does not."""
    return figure.must and met(figure) == "no"


def hardware() -> str:
    """Name the processor, the cores that this process may use, and the Python version."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, Python {platform.python_version()}"


_BEGIN, _END = "<!-- numbers -->", "<!-- /numbers -->"
_HEAD = (
    "# Benchmarks\n\n"
    "Every figure here was printed by `stepdown bench --data DIR --markdown FILE` from the public "
    "data sets in DIR; each\nsection says by which command, on which machine and when. Times are "
    "medians on a shared machine: read ratios, not\nabsolutes. The reference of every agreement is "
    "the data sets' human labels, standing in for a teacher's answers.\n"
)


def markdown(name: str, figures: Sequence[Figure], command: str = "") -> str:
    """Return one benchmark's section of docs/benchmarks.md: its command, the machine, a table."""
    today = datetime.now(UTC).date().isoformat()
    command = command or f"stepdown bench --data DIR --only {name}"
    parts = [
        f"\n## {name}\n\n`{command}`, {hardware()}, {today}\n\n",
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

    What is no section of a benchmark is dropped: the page holds what was measured and no more. A
    page with marks for numbers is people's own but for what stands between them.
    """
    before, marked, rest = page.partition(_BEGIN)
    if marked:
        numbers, _, after = rest.partition(_END)
        lower = numbers.replace("\n### ", "\n## ")
        sections = _ordered(lower, name, section, order).replace("\n## ", "\n### ")
        return f"{before}{_BEGIN}\n{sections}{_END}{after}"
    return _HEAD + _ordered(page, name, section, order)


def _ordered(page: str, name: str, section: str, order: Sequence[str]) -> str:
    found = {part.partition("\n")[0]: f"\n## {part}" for part in page.split("\n## ")[1:]}
    found[name] = section
    kept = [found[one].rstrip("\n") + "\n" for one in order if one in found]
    return "".join(kept)
