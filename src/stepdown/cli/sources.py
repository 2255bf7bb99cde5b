"""Where a command's calls come from: logs, each by its columns, stores, and what was captured."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from stepdown import plugins
from stepdown.audit import Counting
from stepdown.cli.options import Session
from stepdown.cli.privacy import screen_of
from stepdown.cli.sharding import count_shards, sort_calls, sort_shards
from stepdown.cli.stores import captured_calls, database_url, is_own, store_at
from stepdown.core.audits import SourceCoverage
from stepdown.core.calls import Call
from stepdown.core.ports import CallStore, Line, LogFormat, Progress, silent
from stepdown.core.tasks import Task, TaskIndex
from stepdown.errors import LogError
from stepdown.logs import read_calls, read_lines_of
from stepdown.logs.plain import Plain
from stepdown.logs.reading import Opened, Reading
from stepdown.logs.screening import Screened
from stepdown.logs.shards import shards_of
from stepdown.workspace.columns import read_columns

__all__ = ["all_calls", "calls_of", "calls_of_tasks", "count_calls"]


def count_calls(
    session: Session,
    sources: Sequence[str],
    coverage: list[SourceCoverage],
    counting: Counting,
    progress: Progress,
) -> None:
    """Count the calls of the logs: one after another here, or by shards where there are workers."""
    if not session.engine.workers:
        reading = Reading(coverage, several=len(sources) > 1)
        for call in _logged(session, sources, reading, progress):
            counting.add(call)
        return
    reading = Reading(coverage, several=len(sources) > 1)
    for call in _stored(session, sources, reading):
        counting.add(call)
    for group, formats in _by_columns(session, sources):
        cuts = shards_of(reading, group, formats, progress)
        count_shards(session.engine, cuts, reading, counting)
        reading.finish()


def _logged(
    session: Session,
    sources: Sequence[str],
    reading: Reading,
    progress: Progress,
    forgotten: bool = True,
) -> Iterator[Call]:
    yield from _stored(session, sources, reading)
    for group, formats in _by_columns(session, sources, forgotten):
        yield from read_calls(group, formats, reading.coverage, progress, reading=reading)


def _stored(session: Session, sources: Sequence[str], reading: Reading) -> Iterator[Call]:
    """Yield the calls of those sources that are a store of calls."""
    for source in sources:
        store = store_at(session, source)
        if store is not None:
            yield from _kept(session, store, source, reading)
            entry = reading.coverage[-1]
            if not entry.calls and not entry.duplicates:
                raise LogError(
                    f"No call is kept in {source} yet; send some by `stepdown serve --collect`."
                )


def _by_columns(
    session: Session, sources: Sequence[str], forgotten: bool = True
) -> Iterator[tuple[list[str], list[LogFormat]]]:
    """Yield logs that are read alike, each by its own columns where those are noted."""
    noted = read_columns(session.workspace.columns)
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for source in sources:
        if store_at(session, source) is not None:
            continue
        groups.setdefault(tuple(sorted(noted.get(source, {}).items())), []).append(source)
    screen = screen_of(session, forgotten=forgotten)
    for columns, group in groups.items():
        own = [Plain(dict(columns))] if columns else []
        formats = [*own, *plugins.log_formats()]
        yield group, [Screened(one, screen) for one in formats]


def opened_log(session: Session, source: str) -> Iterator[Opened]:
    """Open one log to look at its lines, those of forgotten people among them.

    Raises:
        LogError: it is no log.
    """
    for group, formats in _by_columns(session, [source], forgotten=False):
        yield from Reading([]).opened(group, formats, silent)


def calls_of_tasks(
    session: Session, sources: Sequence[str], wanted: frozenset[str], progress: Progress
) -> Iterator[tuple[str, bytes]]:
    """Yield the calls of the tasks wanted, as MessagePack, each with its task; see `all_calls`.

    Requests without an answer are among them: someone may have been paid for one.
    """
    index = TaskIndex(session.workspace.tasks())
    if not session.engine.workers:
        yield from sort_calls(all_calls(session, sources, progress, unanswered=True), index, wanted)
        return
    sources = _left(session, sources)
    reading = _reading(session, sources, unanswered=True)
    yield from sort_calls(_captured(session, sources, reading), index, wanted)
    yield from sort_calls(_stored(session, sources, reading), index, wanted)
    for group, formats in _by_columns(session, sources):
        cuts = shards_of(reading, group, formats, progress)
        yield from sort_shards(session.engine, cuts, reading, index, wanted)
        reading.finish()


def all_calls(
    session: Session,
    sources: Sequence[str],
    progress: Progress,
    *,
    forgotten: bool = True,
    unanswered: bool = False,
) -> Iterator[Call]:
    """Yield the calls that the gateway has captured, then those of the logs, each once.

    What was captured tells who answered, so it comes before a log's copy of it. With `forgotten`
    False come repeats, and what logs have of people who were forgotten, who are passed over else;
    with `unanswered` the logs' requests that nobody answered, of the tier UNANSWERED.
    """
    sources = _left(session, sources)
    reading = _reading(session, sources, unanswered, once=forgotten)
    yield from _captured(session, sources, reading)
    yield from _logged(session, sources, reading, progress, forgotten)


def calls_of(
    session: Session, task: Task, progress: Progress, *, unanswered: bool = False
) -> Iterator[Call]:
    """Yield the calls of a task; see `all_calls`."""
    index = TaskIndex(session.workspace.tasks())
    for call in all_calls(session, task.sources, progress, unanswered=unanswered):
        found = index.recognise(call.request, call.task)
        if found is not None and found[0].id == task.id:
            yield call


def _left(session: Session, sources: Sequence[str]) -> list[str]:
    """Return the sources without our own copies of standard input that are gone: they expired."""
    spool = session.workspace.spool.resolve()
    return [one for one in sources if Path(one).parent != spool or Path(one).exists()]


def _reading(
    session: Session, sources: Sequence[str], unanswered: bool, *, once: bool = True
) -> Reading:
    """Return one reading of what was captured and of the logs, in which a call has one turn."""
    captured = session.workspace.calls.exists() or database_url(session) is not None
    return Reading([], unanswered=unanswered, several=len(sources) > 1 or captured, once=once)


def _captured(session: Session, sources: Sequence[str], reading: Reading) -> Iterator[Call]:
    if not any(is_own(session, source) for source in sources):
        yield from _kept(session, captured_calls(session), "captured calls", reading)
        # Whether the logs gave anything is said without it.
        reading.coverage.clear()


def _kept(session: Session, store: CallStore, name: str, reading: Reading) -> Iterator[Call]:
    """Yield the calls that a store holds."""
    lines = (Line(data, name, number) for number, data in enumerate(store.lines(), 1))
    # They were redacted when they were captured, perhaps of less than now.
    reader = Screened(plugins.log_format("native"), screen_of(session, forgotten=False))
    yield from read_lines_of(name, reader, lines, reading)
