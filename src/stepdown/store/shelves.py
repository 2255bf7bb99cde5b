"""Taking calls out of a store for good: those that are too old, and those of somebody.

A shelf is a file of the gateway or a database. Rows go in small batches, so that whoever writes
waits for moments; then what they left in free pages and in the log is overwritten or cut off.
"""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from stepdown.store.reading import open_reader

__all__ = ["Found", "Shelf", "SqliteShelf", "Writer"]

_AFTER = "SELECT seq, time, line FROM calls WHERE seq > ? AND time <= ? ORDER BY seq LIMIT 200"
_OLD = "SELECT seq FROM calls WHERE time < ? AND instr(line, ?) = 0 ORDER BY seq LIMIT ?"
_LAST = "SELECT max(seq) FROM calls"
_HEAD = "SELECT id, task, tier, decision, reason FROM calls WHERE seq = ?"
_EMPTY = "UPDATE calls SET line = ? WHERE seq = ?"
_DELETE = "DELETE FROM calls WHERE seq = ?"
_REMOVED = b"Its content was removed."

T = TypeVar("T")
Found = tuple[int, float, bytes]
"""A row: its place, its time, its line."""


class Shelf(Protocol):
    """Where calls are taken out."""

    def after(self, seq: int, until: float) -> list[Found]:
        """Return some rows behind `seq` of up to that time, in order; none: there are no more."""
        ...

    def remove(self, seqs: Sequence[int]) -> None:
        """Take the rows out."""
        ...

    def expire(self, before: float, limit: int) -> int:
        """Take out up to `limit` rows of before that time; returns how many it were."""
        ...

    def shrink(self, *, whole: bool = True) -> bool:
        """Leave nothing of removed rows in the log, and where the `whole` is written anew nowhere;
        False: not now, try again."""
        ...


class Writer(Protocol):
    """An outbox: it has the one connection that may write to its file."""

    @property
    def path(self) -> Path:
        """The file."""
        ...

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let `work` use the connection; nobody else does meanwhile."""
        ...


class SqliteShelf(msgspec.Struct, frozen=True):
    """The file of an outbox.

    The newest row stays, without its content: its place would be given to another, and who reads
    on from there could not tell.
    """

    outbox: Writer

    def after(self, seq: int, until: float) -> list[Found]:
        """Return some rows behind `seq` of up to that time, in order."""
        with closing(open_reader(self.outbox.path)) as connection:
            return connection.execute(_AFTER, (seq, until)).fetchall()

    def remove(self, seqs: Sequence[int]) -> None:
        """Take the rows out."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("BEGIN IMMEDIATE")
            last = connection.execute(_LAST).fetchone()[0]
            for seq in seqs:
                if seq == last:
                    connection.execute(_EMPTY, (_emptied(connection, seq), seq))
                else:
                    connection.execute(_DELETE, (seq,))
            connection.execute("COMMIT")

        self.outbox.change(work)

    def expire(self, before: float, limit: int) -> int:
        """Take out up to `limit` rows of before that time; returns how many it were."""
        with closing(open_reader(self.outbox.path)) as connection:
            seqs = [row[0] for row in connection.execute(_OLD, (before, _REMOVED, limit))]
        if seqs:
            self.remove(seqs)
        return len(seqs)

    def shrink(self, *, whole: bool = True) -> bool:
        """Cut off the log, and write the `whole` file anew; False: somebody reads, not now."""

        def work(connection: sqlite3.Connection) -> bool:
            if whole:
                connection.execute("VACUUM")
            return connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0

        return self.outbox.change(work)


def _emptied(connection: sqlite3.Connection, seq: int) -> bytes:
    names = ("task", "tier", "decision", "reason")
    call, *about = connection.execute(_HEAD, (seq,)).fetchone()
    line: dict[str, Any] = {
        "id": call,
        "request": None,
        "response": None,
        "error": {"message": _REMOVED.decode()},
        "stepdown": dict(zip(names, about, strict=True)),
    }
    return msgspec.json.encode(line)
