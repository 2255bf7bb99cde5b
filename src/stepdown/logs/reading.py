"""Reading logs of any format as one stream of calls, with every line accounted for."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from stepdown.core.audits import SourceCoverage
from stepdown.core.calls import UNANSWERED, Call
from stepdown.core.ports import Line, LogFormat, Progress, silent
from stepdown.errors import LogError
from stepdown.logs.detect import EMPTY, TABLE
from stepdown.logs.echoes import Echoes, echo_of
from stepdown.logs.lines import LineOrReason
from stepdown.logs.opening import Looked, look_at, reopened
from stepdown.logs.reasons import (
    ERROR_ANSWER,
    JOINED,
    NO_ANSWER,
    UNREADABLE,
    Unanswered,
)
from stepdown.logs.sources import COPY, STDIN, expand, size

__all__ = ["MAX_KNOWN_IDS", "Opened", "Reading", "items", "read_calls", "read_lines_of"]

MAX_KNOWN_IDS = 5_000_000
"""Ids remembered (as 8-byte hashes) to tell duplicates; past them duplicates are not told."""

UNKNOWN_FORMAT = "no known format"
UNKNOWN_COLUMNS = "columns not known (--map)"

_FIX = (
    "give JSON Lines with `request` and `response` in each line, an OpenAI batch (input and "
    "output), stored completions, a fine-tuning file, OTLP spans, or an export of LiteLLM, "
    "Langfuse or Helicone"
)

Records = Callable[[Line], Iterator[LineOrReason]]


class _Meter:
    """Tells progress in bytes on disk."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total, self.progress, self.done = total, progress, 0

    def advance(self, count: int) -> None:
        self.done += count
        self.progress("reading", self.done, self.total)


def read_calls(
    sources: Sequence[str],
    formats: Sequence[LogFormat],
    coverage: list[SourceCoverage],
    progress: Progress = silent,
    *,
    unanswered: bool = False,
    reading: "Reading | None" = None,
) -> Iterator[Call]:
    """Yield the calls of files, folders, globs or "-" (stdin), each once, in bounded memory.

    A call is known by its id; one without an id, or one of another file, also by its model, its
    texts and its second.

    Every file's format is told by its content. `coverage` grows by one entry a file, or a format
    that joins files, and is complete when the iterator ends. `progress` is told of "reading" in
    bytes on disk. With `unanswered` come requests that have no answer too, of the tier UNANSWERED;
    they are counted as rejected all the same. `reading` knows what was read before, elsewhere.

    Raises:
        LogError: a source is missing, unreadable or no log, or not one call could be read.
    """
    reading = reading or Reading(coverage, unanswered=unanswered)
    opened = reading.opened(sources, formats, progress)
    return _read(reading, opened)


def read_lines_of(
    source: str, reader: LogFormat, lines: Iterable[Line], reading: "Reading"
) -> Iterator[Call]:
    """Yield the calls of lines that were opened elsewhere, such as a store's, each id once.

    The coverage of `reading` grows by one entry of that `source`.

    Raises:
        LogError: there are lines, and not one call could be read.
    """
    entry = SourceCoverage(source, reader.name)
    reading.coverage.append(entry)
    yield from reading.kept(items(reader, lines, entry), entry)
    if entry.lines and not entry.calls and not entry.duplicates:
        raise _nothing_read([entry])


Opened = tuple[LogFormat, Iterable[LineOrReason], SourceCoverage]
"""How to read lines that follow each other, the lines, and where they are counted."""


class Reading:
    """One reading of logs: the lines accounted for in `coverage`, and the ids seen so far.

    `several` says that more than one file or store is read, so that one call may have two ids.
    Without `once` repeats are yielded as well.
    """

    def __init__(
        self,
        coverage: list[SourceCoverage],
        *,
        unanswered: bool = False,
        several: bool = False,
        once: bool = True,
    ) -> None:
        self.coverage = coverage
        self.unanswered = unanswered
        self._once = once
        self._known: set[int] = set()
        self._echoes = Echoes(MAX_KNOWN_IDS)
        self._echoes.several = several

    def opened(
        self, sources: Sequence[str], formats: Sequence[LogFormat], progress: Progress
    ) -> Iterator[Opened]:
        """Open one file after another; those whose lines are joined come together, at the end."""
        paths, named = expand(sources)
        return self._opened(paths, named, formats, progress)

    def _opened(
        self,
        paths: Sequence[str],
        named: frozenset[str],
        formats: Sequence[LogFormat],
        progress: Progress,
    ) -> Iterator[Opened]:
        meter = _Meter(0 if STDIN in paths else sum(map(size, paths)), progress)
        waiting: dict[str, list[Looked]] = {}
        self._echoes.several |= len(paths) > 1
        for path in paths:
            before = meter.done
            try:
                opened = look_at(path, formats, meter.advance)
            except LogError as problem:
                if path in named:
                    raise
                self.coverage.append(_unreadable(path, str(problem)))
                continue
            if opened.format is None:
                self.coverage.append(_unknown(opened, path in named))
            elif getattr(opened.format, "joins", False):
                waiting.setdefault(opened.format.name, []).append(_put_off(opened, meter, before))
            else:
                yield opened.format, opened.lines, _entry([opened], self.coverage)
        for group in waiting.values():
            lines = chain.from_iterable(opened.lines for opened in group)
            reader = group[0].format
            if reader is not None:
                yield reader, lines, _entry(group, self.coverage)

    def calls(
        self, reader: LogFormat, lines: Iterable[LineOrReason], entry: SourceCoverage
    ) -> Iterator[Call]:
        """Yield the calls of the lines, each id once."""
        return self.kept(items(reader, lines, entry, unanswered=self.unanswered), entry)

    def kept(self, calls: Iterable[Call], entry: SourceCoverage) -> Iterator[Call]:
        """Yield those of the calls that are new, and all that have no answer."""
        wanted = self._echoes.wanted
        for call in calls:
            free = self.unanswered and call.tier == UNANSWERED
            new = free or self.new(call.id, echo_of(call) if wanted(call.id) else 0, entry)
            if new or not self._once:
                yield call

    def new(self, name: str, echo: int, entry: SourceCoverage) -> bool:
        """Count a call of that id and echo; say whether it is the first."""
        if _is_new(name, entry, self._known) and not self._echoes.add(name, echo, entry):
            entry.calls += 1
            return True
        entry.duplicates += 1
        return False

    def accept(self, ids: Sequence[tuple[str, int]], entry: SourceCoverage) -> bool:
        """Take calls of these ids and echoes, where each is new; say whether they were taken."""
        marks = {hash(name) for name, _ in ids}
        full = len(self._known) >= MAX_KNOWN_IDS
        fits = len(marks) == len(ids) and len(self._known) + len(marks) <= MAX_KNOWN_IDS
        if not (full or fits) or not self._known.isdisjoint(marks):
            return False
        if not self._echoes.add_all(ids, entry):
            return False
        if full and ids and _told() not in entry.notes:
            entry.notes.append(_told())
        elif not full:
            self._known |= marks
        entry.calls += len(ids)
        return True

    def finish(self) -> None:
        """Raise LogError where not one call could be read."""
        if not any(entry.calls or entry.duplicates for entry in self.coverage):
            raise _nothing_read(self.coverage)


def _read(reading: Reading, opened: Iterator[Opened]) -> Iterator[Call]:
    for reader, lines, entry in opened:
        yield from reading.calls(reader, lines, entry)
    reading.finish()


def _put_off(opened: Looked, meter: _Meter, before: int) -> Looked:
    """Let go of a file until its turn comes, so that a folder of many keeps none open."""
    if opened.path == STDIN:
        return opened
    meter.done = before
    lines = reopened(opened.path, meter.advance)
    return Looked(opened.path, lines, opened.format)


def _entry(group: Sequence[Looked], coverage: list[SourceCoverage]) -> SourceCoverage:
    names = [opened.path for opened in group]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    known = group[0].format
    doubts = [doubt for opened in group for doubt in opened.doubts]
    entry = SourceCoverage(", ".join(names[:3]) + more, known.name if known else "", notes=doubts)
    coverage.append(entry)
    return entry


def _unknown(opened: Looked, is_named: bool) -> SourceCoverage:
    """Count a file of no known format that a folder or glob brought in; a named one is an error."""
    if is_named:
        raise LogError(_no_log(opened))
    entry = SourceCoverage(opened.path, notes=[f"This file is {opened.found}."])
    reason = UNKNOWN_COLUMNS if TABLE in opened.found else UNKNOWN_FORMAT
    for line in opened.lines:
        entry.lines += 1
        _reject(entry, line if isinstance(line, str) else reason)
    return entry


def _unreadable(path: str, problem: str) -> SourceCoverage:
    """Count a file that a folder or glob brought in and that can't be opened as one lost line."""
    return SourceCoverage(path, lines=1, rejected={UNREADABLE: 1}, notes=[problem])


def _no_log(opened: Looked) -> str:
    if TABLE in opened.found:
        return f"{_shown(opened.path)} is {opened.found}."
    if opened.found == EMPTY:
        return f"{_shown(opened.path)} is empty; {_FIX}."
    return f"{_shown(opened.path)} is no call log but {opened.found}; {_FIX}."


def items(
    reader: LogFormat,
    lines: Iterable[LineOrReason],
    entry: SourceCoverage,
    *,
    unanswered: bool = False,
) -> Iterator[Call]:
    """Yield the calls of the lines, equal ids and all; what gives none is counted."""
    for item in reader.read(_counted(reader, lines, entry)):
        if isinstance(item, str):
            _reject(entry, item)
            asked = item.call() if unanswered and isinstance(item, Unanswered) else None
            if asked is not None:
                yield asked
        else:
            yield item


def _counted(
    reader: LogFormat, lines: Iterable[LineOrReason], entry: SourceCoverage
) -> Iterator[Line]:
    """Yield the lines that can be read; a format of batches has `records`, each counted as one."""
    records: Records | None = getattr(reader, "records", None)
    for line in lines:
        for record in (line,) if records is None or isinstance(line, str) else records(line):
            entry.lines += 1
            if isinstance(record, str):
                _reject(entry, record)
            else:
                yield record


def _reject(entry: SourceCoverage, reason: str) -> None:
    if reason == JOINED:
        entry.joined += 1
    else:
        # A plain text as the key: what else a reason brings is not kept.
        entry.rejected[str(reason)] = entry.rejected.get(reason, 0) + 1


def _is_new(name: str, entry: SourceCoverage, known: set[int]) -> bool:
    mark = hash(name)
    if mark in known:
        return False
    if len(known) < MAX_KNOWN_IDS:
        known.add(mark)
    elif _told() not in entry.notes:
        entry.notes.append(_told())
    return True


def _told() -> str:
    return (
        f"Duplicates are told among the first {MAX_KNOWN_IDS:,} ids alone; later repeats of an id "
        "count as calls."
    )


def _nothing_read(coverage: Sequence[SourceCoverage]) -> LogError:
    lines = sum(entry.lines for entry in coverage)
    reasons: dict[str, int] = {}
    for entry in coverage:
        for reason, count in entry.rejected.items():
            reasons[reason] = reasons.get(reason, 0) + count
    worst = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:3]
    why = ", ".join(f"{reason}: {count:,}" for reason, count in worst)
    where = coverage[0].source if coverage else "the sources"
    read = f"No call could be read from {_shown(where)}: {lines:,} lines ({why or 'none'})"
    asked = reasons.get(NO_ANSWER, 0) + reasons.get(ERROR_ANSWER, 0)
    if not asked:
        return LogError(f"{read}; {_FIX}.")
    return LogError(
        f"{read}; requests without an answer: {asked:,}. Audit them together with a log in which "
        "the task has answers, and `stepdown label TASK --teacher M` can be paid to answer "
        f"them, or {_FIX}."
    )


def _shown(path: str) -> str:
    """Return the path as whoever gave it knows it: they never saw our copy of a pipe."""
    if path == STDIN:
        return "stdin"
    return "the piped input" if Path(path).name.startswith(COPY) else path
