"""Logs read by several workers: they count or sort shards, this process puts them together.

The report is the same to the byte as that of one process. What a worker can't know is done here:
ids seen before, calls that fit no task known, shards under way when a new task is found.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import msgspec

from stepdown.audit import Counting, Known, Part, count
from stepdown.core.audits import SourceCoverage
from stepdown.core.calls import UNANSWERED, Call
from stepdown.core.ports import Engine, Item, Result
from stepdown.core.tasks import TaskIndex
from stepdown.logs.echoes import echo_of
from stepdown.logs.reading import Reading
from stepdown.logs.shards import Shard, account, read_shard

__all__ = ["Cut", "count_shards", "sort_calls", "sort_shards"]

Cut = tuple[Shard | Iterator[Call], SourceCoverage]

_MOSTLY = 0.5

_encode = msgspec.msgpack.Encoder().encode


class Job(msgspec.Struct, frozen=True):
    """A shard to count, and the groups known when it was given away."""

    shard: Shard
    known: Known


class SortJob(msgspec.Struct, frozen=True):
    """A shard whose calls to sort into tasks."""

    shard: Shard
    index: TaskIndex
    wanted: frozenset[str]


class Counted(msgspec.Struct, frozen=True):
    """What was found in a shard: its lines, its calls' ids and echoes, and its calls by group."""

    entry: SourceCoverage
    ids: tuple[tuple[str, int], ...]
    part: Part


def count_shard(job: Job) -> Counted:
    """Read and count one shard; what a worker does."""
    read = read_shard(job.shard)
    part = count(read.calls, job.known)
    return Counted(read.entry, tuple((call.id, echo_of(call)) for call in read.calls), part)


def count_shards(engine: Engine, cuts: Iterable[Cut], reading: Reading, counting: Counting) -> None:
    """Count the calls of all cuts, in order; shards by the engine's workers."""
    waiting = iter(cuts)
    for cut in waiting:
        _count_here(cut, reading, counting)
        if _learnt(counting):
            break
    work = _worked(engine, count_shard, waiting, lambda shard: Job(shard, counting.known()))
    for cut, entry, found in work:
        if found is None or not isinstance(cut, Shard):
            _count_here((cut, entry), reading, counting)
        else:
            _take(cut, entry, found, reading, counting)


def sort_calls(
    calls: Iterable[Call], index: TaskIndex, wanted: frozenset[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield those of the calls that are of a task wanted, as MessagePack, each with its task."""
    for call in calls:
        task = _task_of(call, index)
        if task in wanted:
            yield task, _encode(call)


def sort_shard(job: SortJob) -> list[tuple[str, int, str, bytes]]:
    """Return a shard's calls: id, echo, task and MessagePack; that is empty where none wants it.

    What has no answer comes without an id: nothing is a repeat of it.
    """
    return [
        (
            "" if call.tier == UNANSWERED else call.id,
            echo_of(call),
            task,
            _encode(call) if task in job.wanted else b"",
        )
        for call in read_shard(job.shard, unanswered=True).calls
        for task in (_task_of(call, job.index),)
    ]


def sort_shards(
    engine: Engine,
    cuts: Iterable[Cut],
    reading: Reading,
    index: TaskIndex,
    wanted: frozenset[str],
) -> Iterator[tuple[str, bytes]]:
    """Do as `sort_calls` does, by the engine's workers."""
    work = _worked(engine, sort_shard, iter(cuts), lambda shard: SortJob(shard, index, wanted))
    for cut, entry, found in work:
        if not isinstance(cut, Shard):
            yield from sort_calls(cut, index, wanted)
        for name, echo, task, data in found or ():
            if (not name or reading.new(name, echo, entry)) and data:
                yield task, data


def _task_of(call: Call, index: TaskIndex) -> str:
    found = index.recognise(call.request, call.task)
    return found[0].id if found else ""


def _worked(
    engine: Engine,
    work: Callable[[Item], Result],
    cuts: Iterator[Cut],
    job: Callable[[Shard], Item],
) -> Iterator[tuple[Shard | Iterator[Call], SourceCoverage, Result | None]]:
    """Yield each shard, in order, with what a worker found in it; None with what is no shard."""
    held: deque[tuple[Shard, SourceCoverage]] = deque()
    after: list[Cut] = []

    def jobs() -> Iterator[Item]:
        for cut, entry in cuts:
            if not isinstance(cut, Shard):
                # Formats that join lines come last.
                after.append((cut, entry))
                return
            held.append((cut, entry))
            yield job(cut)

    for found in engine.map(work, jobs()):
        yield (*held.popleft(), found)
    for cut, entry in (*after, *cuts):
        yield cut, entry, None


def _learnt(counting: Counting) -> bool:
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
