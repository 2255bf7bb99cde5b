"""Taking calls out of the shared database: see `store.shelves`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from stepdown.store.postgres_link import checked_url, deadline, limited, opened
from stepdown.store.shelves import Found

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresShelf"]

_AFTER = """SELECT seq, time, line FROM stepdown_calls WHERE seq > %s AND time <= %s
    ORDER BY seq LIMIT 200"""
_DELETE = "DELETE FROM stepdown_calls WHERE seq = ANY(%s)"
_EXPIRE = """DELETE FROM stepdown_calls WHERE id IN (SELECT id FROM stepdown_calls
    WHERE time < %s ORDER BY time, id LIMIT %s FOR UPDATE SKIP LOCKED)"""
_SECONDS = 30.0
_VACUUM_S = 3600.0


class PostgresShelf:
    """The calls of every gateway that drains into one database.

    Raises:
        Unavailable: the extra is not installed.
        ConfigError: the URL is none.
    """

    def __init__(self, url: str) -> None:
        self._url = checked_url(url)

    def after(self, seq: int, until: float) -> list[Found]:
        """Return some rows behind `seq` of up to that time, in order."""
        with self._opened() as connection, limited(connection, _SECONDS):
            rows = connection.execute(_AFTER, (seq, until)).fetchall()
        return [(int(at), float(when), bytes(line)) for at, when, line in rows]

    def remove(self, seqs: Sequence[int]) -> None:
        """Take the rows out."""
        with self._opened() as connection, limited(connection, _SECONDS):
            connection.execute(_DELETE, (list(seqs),))

    def expire(self, before: float, limit: int) -> int:
        """Take out up to `limit` rows of before that time; returns how many it were."""
        with self._opened() as connection, limited(connection, _SECONDS):
            return connection.execute(_EXPIRE, (before, limit)).rowcount

    def shrink(self, *, whole: bool = True) -> bool:
        """Write the table anew; calls wait in the outboxes as long as that takes."""
        if not whole:
            return True
        with self._opened() as connection, deadline(connection, _VACUUM_S):
            connection.execute("VACUUM (FULL) stepdown_calls")
        return True

    def _opened(self) -> "AbstractContextManager[psycopg.Connection[tuple[Any, ...]]]":
        return opened(self._url, "changed")
