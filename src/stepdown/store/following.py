"""Reading on in a store of calls from where one stopped before."""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from stepdown.store.reading import open_reader
from stepdown.store.schema import not_a_store

__all__ = ["Follower", "Row", "follow"]

_PAGE = "SELECT seq, id, line FROM calls WHERE seq > ? ORDER BY seq LIMIT 500"
_AT = "SELECT id FROM calls WHERE seq = ?"
_LAST = "SELECT max(seq) FROM calls"
_LINE = "SELECT line FROM calls WHERE id = ?"


class Row(msgspec.Struct, frozen=True):
    """A captured line and its place in the store."""

    seq: int
    id: str
    line: bytes


class Follower:
    """Reads one store; a live file can be read."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def same_store(self, seq: int, id: str) -> bool:
        """Say whether this is the store in which the row `id` stood at `seq`.

        A row that was deleted since does not speak against it; another at its place does.
        """
        found = self._rows(_AT, (seq,))
        if found:
            return found[0][0] == id
        last = self._rows(_LAST, ())[0][0]
        return last is not None and last > seq

    def after(self, seq: int) -> Iterator[Row]:
        """Yield the rows behind `seq`, in order."""
        while True:
            # A page at a time: one long read would keep the writer's WAL from being reset.
            rows = self._rows(_PAGE, (seq,))
            if not rows:
                return
            for row in rows:
                yield Row(*row)
            seq = rows[-1][0]

    def line(self, id: str) -> bytes | None:
        """Return the line of that call, or None."""
        rows = self._rows(_LINE, (id,))
        return rows[0][0] if rows else None

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as problem:
            raise not_a_store(self._path, problem) from problem


@contextmanager
def follow(path: Path) -> Generator[Follower]:
    """Open a workspace's `calls.db` for reading.

    Raises:
        InputError: the file is not a store of calls, or is missing.
    """
    with closing(open_reader(path)) as connection:
        yield Follower(path, connection)
