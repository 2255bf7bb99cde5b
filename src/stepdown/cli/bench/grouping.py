"""How well calls are grouped into tasks: the adjusted Rand index on a shuffled mix of every set."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from sklearn.metrics import adjusted_rand_score  # pyright: ignore[reportUnknownVariableType]

from stepdown.audit.grouping import Grouper
from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.mix import mix
from stepdown.core.calls import Call
from stepdown.core.ports import Progress

__all__ = ["found_groups", "grouping"]

SEEDS = (101, 102, 103, 104, 105)
"""Each seed draws other instructions, layouts, twins, names and dates."""


def found_groups(calls: Sequence[Call]) -> list[int]:
    """Return the group number of each call, in the order of the calls."""
    grouper = Grouper()
    number: dict[str, int] = {}
    for call in calls:
        number.update((done.id, group) for done, group in grouper.add(call))
    number.update((done.id, group) for done, group in grouper.finish())
    merged = grouper.merged()
    return [_settled(number[call.id], merged) for call in calls]


def _settled(group: int, merged: dict[int, int]) -> int:
    while group in merged:
        group = merged[group]
    return group


def grouping(data: Path, progress: Progress) -> Sequence[Figure]:
    """Group the mix of every seed and compare with the templates that made it."""
    indices: list[float] = []
    micros: list[float] = []
    for at, seed in enumerate(SEEDS):
        progress("grouping", at, len(SEEDS))
        made = mix(data, seed)
        calls = [call for call, _ in made]
        began = time.process_time()
        found = found_groups(calls)
        micros.append((time.process_time() - began) / len(calls) * 1e6)
        indices.append(float(adjusted_rand_score([truth for _, truth in made], found)))
    spread = ", ".join(f"{index:.4f}" for index in indices)
    middle = median(indices)
    return [
        Figure(
            "adjusted Rand index, every set, three templates each, median of 5 seeds",
            f"{middle:.4f}",
            middle,
            0.99,
            spread=spread,
        ),
        Figure(
            "lowest of the 5 seeds",
            f"{min(indices):.4f}",
            min(indices),
        ),
        Figure("grouping alone, microseconds a call", f"{median(micros):.0f} µs", median(micros)),
    ]
