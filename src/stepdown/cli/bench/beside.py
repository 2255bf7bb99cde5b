"""What scale takes: several workers' audit beside one process's, and room for what is kept."""

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from stepdown.audit import Counting, report_on
from stepdown.cli.bench.figures import Figure
from stepdown.cli.bench.scale import write_log
from stepdown.cli.options import Session
from stepdown.cli.sources import count_calls
from stepdown.config import Config
from stepdown.core.audits import SourceCoverage
from stepdown.core.ports import Engine, Exchange, Progress, silent
from stepdown.engines.local import Local
from stepdown.engines.ray import Ray
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace import Workspace

__all__ = ["ray_scale", "storage"]

CALLS = 200_000
KEPT = 50_000
_NAP_S = 0.1


class _Run(msgspec.Struct, frozen=True):
    """One audit's counting: CPU seconds here and of the workers, wall seconds, the report."""

    here: float
    workers: float
    wall: float
    report: bytes
    taken: int


def spent(nap: float) -> tuple[int, float]:
    """Return this process and the CPU seconds that it has taken, after a nap."""
    time.sleep(nap)
    return os.getpid(), time.process_time()


def _workers_cpu(engine: Engine) -> float:
    """Return the CPU seconds of all workers: each gets some of many short naps."""
    return sum(dict(engine.map(spent, [_NAP_S] * 8 * engine.workers)).values())


def _run(engine: Engine, log: Path) -> _Run:
    session = Session(Workspace(log.parent), Config(), engine=engine)
    coverage: list[SourceCoverage] = []
    counting = Counting()
    before = _workers_cpu(engine)
    here, wall = time.process_time(), time.monotonic()
    count_calls(session, [str(log)], coverage, counting, silent)
    here, wall = time.process_time() - here, time.monotonic() - wall
    workers = _workers_cpu(engine) - before
    report = msgspec.json.encode(report_on(counting, coverage))
    return _Run(here, workers, wall, report, counting.taken)


def ray_scale(data: Path, progress: Progress) -> Sequence[Figure]:
    """Count 200,000 calls of 2 KB alone, by one worker and by two, on a cluster of each size."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log.jsonl"
        write_log(data, log, CALLS)
        alone = _run(Local(), log)
        figures.append(_cost("no cluster, CPU a call", alone.here, f"{alone.wall:.1f} s wall"))
        for number in (1, 2):
            progress("workers", number - 1, 2)
            began = time.monotonic()
            engine = Ray(number)
            try:
                _workers_cpu(engine)
                start = time.monotonic() - began
                run = _run(engine, log)
            finally:
                engine.close()
            figures += _figures(number, run, alone, start)
    return figures


def storage(data: Path, progress: Progress) -> Sequence[Figure]:
    """Keep 50,000 calls of 2 KB as a gateway does."""
    with tempfile.TemporaryDirectory() as folder:
        log, path = Path(folder) / "log.jsonl", Path(folder) / "calls.db"
        write_log(data, log, KEPT)
        spent, kept = time.process_time(), threading.Event()

        def told(*said: object) -> None:
            kept.set()

        with closing(SqliteOutbox(path)) as outbox, log.open("rb") as lines:
            for number, line in enumerate(lines):
                kept.clear()
                if not outbox.submit(Exchange(str(number), float(number), line), told):
                    kept.wait()
                progress("keeping", number, KEPT)
        spent = (time.process_time() - spent) / KEPT
        size = sum(file.stat().st_size for file in Path(folder).glob("calls.db*")) / KEPT
        note = f"lines of {log.stat().st_size / KEPT:,.0f} bytes, each acknowledged before the next"
    return [
        Figure("calls.db, bytes a call", f"{size:,.0f}", size, note=note),
        Figure("keeping it, CPU a call", f"{spent * 1e6:.0f} µs", spent * 1e6),
    ]


def _figures(number: int, run: _Run, alone: _Run, start: float) -> list[Figure]:
    of = f"{number} worker{'' if number == 1 else 's'}"
    bound = min(CALLS / run.here, number * CALLS / run.workers)
    same = int(run.report == alone.report)
    return [
        _cost(f"{of}, CPU a call of the process that puts together", run.here),
        _cost(f"{of}, CPU a call of the workers", run.workers, f"{run.wall:.1f} s wall"),
        Figure(
            f"{of}, calls a second where each process has a core of its own",
            f"{bound:,.0f}",
            bound,
            note="from the CPU times above",
        ),
        Figure(f"{of}, start of the cluster", f"{start:.1f} s", start),
        Figure(
            f"{of}, the report is the same to the byte",
            "yes" if same else "no",
            same,
            1,
            must=True,
            note=f"{run.taken} shards counted by workers",
        ),
    ]


def _cost(name: str, seconds: float, note: str = "") -> Figure:
    each = seconds / CALLS * 1e6
    return Figure(name, f"{each:.1f} µs", each, note=note)
