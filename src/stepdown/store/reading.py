"""Captured calls, wherever they are: a workspace's own file, or a database and what waits for it.

Readers open an outbox read-only, so a live gateway's can be read.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from stepdown.core.ports import Tally
from stepdown.store.schema import not_a_store

__all__ = ["Database", "SharedCalls", "SqliteCalls", "open_reader", "read_lines", "read_tallies"]

_PAGE = """SELECT seq, id, line FROM calls
    WHERE seq > ? AND (? = '' OR task = ?) AND (? = '' OR tier = ?) ORDER BY seq LIMIT 500"""
_TALLY = """SELECT task, tier, decision, reason, count(*), min(time), max(time) FROM calls
    GROUP BY task, tier, decision, reason ORDER BY count(*) DESC"""
_HEADS = "SELECT id, task, tier, decision, reason, time FROM calls"


class SqliteCalls(msgspec.Struct, frozen=True):
    """The captured calls of one workspace's own file; see `core.ports.CallStore`."""

    path: Path

    def lines(self, *, task: str = "", tier: str = "") -> Iterator[bytes]:
        """Yield the native log lines, oldest first."""
        return read_lines(self.path, task=task, tier=tier)

    def tallies(self) -> list[Tally]:
        """Return the number of calls by task, tier, decision and reason, most first."""
        return read_tallies(self.path)


class Database(Protocol):
    """A database that several gateways' calls are moved to: `store.postgres.PostgresCalls`."""

    def lines(self, task: str = "", tier: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield each call's id and line, oldest first, as they are when the first is asked for."""
        ...

    def tallies(self, ids: Sequence[str] = ()) -> tuple[list[Tally], set[str]]:
        """Return the calls counted, and those of the ids that are among them."""
        ...


class SharedCalls(msgspec.Struct, frozen=True):
    """The captured calls of a database, and those that wait for it in this workspace's outboxes.

    What moves while it is read is counted once: the outboxes are looked at first.
    """

    database: Database
    outboxes: tuple[Path, ...]

    def lines(self, *, task: str = "", tier: str = "") -> Iterator[bytes]:
        """Yield the native log lines: what waits, then the database's, each oldest first."""
        seen: set[str] = set()
        for path in self.outboxes:
            for call, line in _identified(path, task, tier):
                seen.add(call)
                yield line
        for call, line in self.database.lines(task, tier):
            if call not in seen:
                yield line

    def tallies(self) -> list[Tally]:
        """Return the number of calls by task, tier, decision and reason, most first."""
        heads = {row[0]: row for path in self.outboxes for row in _heads(path)}
        tallies, known = self.database.tallies(list(heads))
        waiting = (
            Tally(*row[1:5], count=1, first_time=row[5], last_time=row[5]) for row in heads.values()
        )
        found = zip(heads, waiting, strict=True)
        return _merged([*tallies, *(tally for call, tally in found if call not in known)])


def read_lines(path: Path, *, task: str = "", tier: str = "") -> Iterator[bytes]:
    """Yield the captured native log lines, oldest first; a live file can be read.

    `task` (an id) and `tier` pick some of them. A missing file has none.

    Raises:
        InputError: the file is not a store of calls.
    """
    for _, line in _identified(path, task, tier):
        yield line


def read_tallies(path: Path) -> list[Tally]:
    """Return the number of captured calls by task, tier, decision and reason, most first.

    Raises:
        InputError: the file is not a store of calls.
    """
    if not path.exists():
        return []
    with closing(open_reader(path)) as connection:
        return [Tally(*row) for row in _rows(connection, path, _TALLY, ())]


def open_reader(path: Path) -> sqlite3.Connection:
    """Open the file of an outbox for reading; it may be written to at the same time.

    Raises:
        InputError: it can't be opened.
    """
    try:
        return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)
    except sqlite3.Error as problem:
        raise not_a_store(path, problem) from problem


def _identified(path: Path, task: str, tier: str) -> Iterator[tuple[str, bytes]]:
    if not path.exists():
        return
    last = -1
    with closing(open_reader(path)) as connection:
        while True:
            # A page at a time: one long read would keep the writer's WAL from being reset.
            rows = _rows(connection, path, _PAGE, (last, task, task, tier, tier))
            if not rows:
                return
            for _, call, line in rows:
                yield call, line
            last = rows[-1][0]


def _heads(path: Path) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    with closing(open_reader(path)) as connection:
        return _rows(connection, path, _HEADS, ())


def _rows(
    connection: sqlite3.Connection, path: Path, query: str, values: tuple[object, ...]
) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(query, values).fetchall()
    except sqlite3.Error as problem:
        raise not_a_store(path, problem) from problem


def _merged(tallies: Iterable[Tally]) -> list[Tally]:
    """Return one tally for each kind of call, most first."""
    kinds: dict[tuple[str, ...], list[Tally]] = defaultdict(list)
    for tally in tallies:
        kinds[tally.task, tally.tier, tally.decision, tally.reason].append(tally)
    merged = [
        Tally(
            *kind,
            count=sum(tally.count for tally in found),
            first_time=min(tally.first_time for tally in found),
            last_time=max(tally.last_time for tally in found),
        )
        for kind, found in kinds.items()
    ]
    return sorted(merged, key=lambda tally: -tally.count)
