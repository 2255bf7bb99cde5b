"""An audit by several workers: they read and count shards of the logs, this process puts together.

The report is the same to the byte as that of one process. What a worker can't know is done here:
ids seen before, calls that fit no task known, shards under way when a new task is found.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import msgspec

from stepdown.audit import Counting, Known, Part, count
from stepdown.core.audits import SourceCoverage
from stepdown.core.calls import Call
from stepdown.core.ports import Engine
from stepdown.logs.reading import Reading
from stepdown.logs.shards import Shard, account, read_shard

__all__ = ["Cut", "count_shards"]

Cut = tuple[Shard | Iterator[Call], SourceCoverage]

_MOSTLY = 0.5


class Job(msgspec.Struct, frozen=True):
    """A shard to count, and the groups known when it was given away."""

    shard: Shard
    known: Known


class Counted(msgspec.Struct, frozen=True):
    """What was found in a shard: its lines, its calls' ids, and its calls by group."""

    entry: SourceCoverage
    ids: tuple[str, ...]
    part: Part


def count_shard(job: Job) -> Counted:
    """Read and count one shard; what a worker does."""
    read = read_shard(job.shard)
    part = count(read.calls, job.known)
    return Counted(read.entry, tuple(call.id for call in read.calls), part)


def count_shards(engine: Engine, cuts: Iterable[Cut], reading: Reading, counting: Counting) -> None:
    """Count the calls of all cuts, in order; shards by the engine's workers."""
    waiting = iter(cuts)
    for cut in waiting:
        _count_here(cut, reading, counting)
        if _learnt(cut, counting):
            break
    held: deque[tuple[Shard, SourceCoverage]] = deque()
    after: list[Cut] = []

    def jobs() -> Iterator[Job]:
        for shard, entry in waiting:
            if not isinstance(shard, Shard):
                # Formats that join lines come last.
                after.append((shard, entry))
                return
            held.append((shard, entry))
            yield Job(shard, counting.known())

    for found in engine.map(count_shard, jobs()):
        _take(*held.popleft(), found, reading, counting)
    for cut in (*after, *waiting):
        _count_here(cut, reading, counting)


def _learnt(cut: Cut, counting: Counting) -> bool:
    """Say whether the groups found so far are those of most calls, so that workers can count."""
    return counting.placed > _MOSTLY * counting.calls > 0


def _count_here(cut: Cut, reading: Reading, counting: Counting) -> None:
    shard, entry = cut
    calls: Iterable[Call] = (
        shard if not isinstance(shard, Shard) else reading.calls(shard.format, shard.lines, entry)
    )
    for call in calls:
        counting.add(call)


def _take(
    shard: Shard, entry: SourceCoverage, found: Counted, reading: Reading, counting: Counting
) -> None:
    """Take over what a worker found, or count anew where that does not hold."""
    account(entry, found.entry)
    if reading.accept(found.ids, entry):
        counting.take(found.part, lambda: read_shard(shard).calls)
        return
    for call in reading.kept(read_shard(shard).calls, entry):
        counting.add(call)
