"""The parts of the benchmark, each alone or all in one run.

The gateway is bound to one core, the load and the upstream to another, with the whole product under
way: JSON read and written, calls captured and committed.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.gateway import speed, steady
from stepdown.cli.bench.gateway.ground import Ground, forget_calls, ground
from stepdown.cli.bench.gateway.kills import kills
from stepdown.cli.bench.gateway.mutations import mutated
from stepdown.cli.bench.gateway.nginx import checked
from stepdown.core.ports import Progress

__all__ = [
    "all_but_memory",
    "black_hole",
    "kill_9",
    "memory",
    "mutations",
    "relayed",
    "start",
    "streams",
    "students",
]

_Part = Callable[[Ground, Progress], list[Figure]]


def _run(parts: Sequence[_Part], progress: Progress) -> list[Figure]:
    checked()
    busy = os.getloadavg()[0]
    figures: list[Figure] = []
    with ground(progress) as found:
        for part in parts:
            forget_calls(found)
            figures += part(found, progress)
    name, why = "load average before the run", "what others do on the machine is in all figures"
    return [*figures, *speed.beside_nginx(figures), Figure(name, f"{busy:.1f}", busy, note=why)]


def all_but_memory(data: Path, progress: Progress) -> Sequence[Figure]:
    """Measure everything that takes seconds."""
    parts = (
        speed.students,
        speed.relayed,
        speed.streams,
        steady.black_hole,
        steady.cold_start,
        kills,
        mutated,
    )
    return _run(parts, progress)


def memory(data: Path, progress: Progress) -> Sequence[Figure]:
    """Measure what ten minutes of load leave."""
    return _run((steady.memory,), progress)


def students(data: Path, progress: Progress) -> Sequence[Figure]:
    """Measure a student's answers alone."""
    return _run((speed.students,), progress)


def relayed(data: Path, progress: Progress) -> Sequence[Figure]:
    """Measure relayed answers alone."""
    return _run((speed.relayed,), progress)


def streams(data: Path, progress: Progress) -> Sequence[Figure]:
    """Measure relayed streams alone."""
    return _run((speed.streams,), progress)


def black_hole(data: Path, progress: Progress) -> Sequence[Figure]:
    """Measure students beside a black hole alone."""
    return _run((steady.black_hole,), progress)


def start(data: Path, progress: Progress) -> Sequence[Figure]:
    """Measure the start alone."""
    return _run((steady.cold_start,), progress)


def kill_9(data: Path, progress: Progress) -> Sequence[Figure]:
    """Measure what kills lose alone."""
    return _run((kills,), progress)


def mutations(data: Path, progress: Progress) -> Sequence[Figure]:
    """Measure mutated requests alone."""
    return _run((mutated,), progress)
