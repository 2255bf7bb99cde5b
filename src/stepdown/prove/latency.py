"""Single-item latency of a student, measured here."""

import contextlib
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stepdown.core.ports import Student
from stepdown.core.proofs import Latency
from stepdown.core.tasks import Input

__all__ = ["hardware", "measure_latency"]

_ROUNDS = 500
_WARM_UP = 20


def measure_latency(
    student: Student, inputs: Sequence[Input], teacher_p50_ms: float | None
) -> Latency:
    """Time one prediction after another on up to 500 inputs, after a warm-up on some of them.

    A prediction that raises is timed too: live, it would have cost as much before it escalates.
    """
    chosen = inputs[:_ROUNDS]
    for given in chosen[:_WARM_UP]:
        _timed(student, given)
    taken = [_timed(student, given) for given in chosen]
    p50, p99 = np.percentile(taken, [50, 99]).tolist() if taken else (0.0, 0.0)
    return Latency(p50, p99, len(taken), hardware(), teacher_p50_ms)


def _timed(student: Student, given: Input) -> float:
    start = time.perf_counter_ns()
    # What a student raises is judged in `outcomes`; here it only takes its time.
    with contextlib.suppress(Exception):
        student.predict(given)
    return (time.perf_counter_ns() - start) / 1e6


def hardware() -> str:
    """Return the processor's name and how many cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {cores} core{'' if cores == 1 else 's'}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine() or "unknown processor"
