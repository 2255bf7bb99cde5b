"""The shared store: captured calls in PostgreSQL, moved there by drainers, read by the commands.

Every statement is constant text with bound values, and has a deadline (`store.postgres_link`).
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, LiteralString

from stepdown.core.ports import Tally
from stepdown.store.drain import Batch, SinkError
from stepdown.store.following import Row
from stepdown.store.postgres_link import (
    LOCK,
    LOCK_KEY,
    checked_url,
    connect,
    deadline,
    limit,
    limited,
    opened,
    prepare,
    told,
)

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresCalls", "PostgresFollower", "PostgresSink"]

_INSERT = """INSERT INTO stepdown_calls (id, time, task, tier, decision, reason, confidence, line)
    SELECT * FROM unnest(%b::text[], %b::float8[], %b::text[], %b::text[], %b::text[], %b::text[],
        %s::float8[], %b::bytea[])
    ON CONFLICT (id) DO NOTHING"""
_INSERT_GAPS = """INSERT INTO stepdown_gaps (id, time, dropped, cause)
    SELECT * FROM unnest(%s::text[], %s::float8[], %s::bigint[], %s::text[])
    ON CONFLICT (id) DO NOTHING"""
_LINES = """SELECT id, line FROM stepdown_calls
    WHERE (%s = '' OR task = %s) AND (%s = '' OR tier = %s) ORDER BY time, id"""
_TALLY = """SELECT task, tier, decision, reason, count(*), min(time), max(time)
    FROM stepdown_calls GROUP BY task, tier, decision, reason"""
_KNOWN = "SELECT id FROM stepdown_calls WHERE id = ANY(%s)"
_AFTER = "SELECT seq, id, line FROM stepdown_calls WHERE seq > %s ORDER BY seq"
_AT = "SELECT id FROM stepdown_calls WHERE seq = %s"
_GIVEN = "SELECT last_value FROM stepdown_calls_seq_seq WHERE %s::text IS NULL"
_LINE = "SELECT line FROM stepdown_calls WHERE id = %s"

_WRITE_S = 10.0
_READ_S = 60.0
_PAGE = 500
_IDS = 10_000


class PostgresSink:
    """Where one drainer moves calls to: a connection that is opened when needed, and dropped when
    anything fails on it.

    Raises:
        Unavailable: the extra is not installed.
        ConfigError: the URL is none.
    """

    def __init__(self, url: str) -> None:
        self._url = checked_url(url)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def store(self, batch: Batch) -> None:
        """Store the calls and gaps, those that are there already excepted.

        Raises:
            SinkError: they may be stored or not; the same again does no harm.
        """
        with self._failing(), self._ready() as connection, limited(connection, _WRITE_S):
            connection.execute(LOCK, (LOCK_KEY,))
            if batch.calls:
                columns = list(zip(*sorted(row[1:] for row in batch.calls), strict=True))
                connection.execute(_INSERT, [_plain(column) for column in columns])
            if batch.gaps:
                gaps = sorted((f"{g[1]:.6f}-{g[0]}-{g[2]}", *g[1:]) for g in batch.gaps)
                columns = list(zip(*gaps, strict=True))
                connection.execute(_INSERT_GAPS, [_plain(column) for column in columns])

    def prepare(self) -> None:
        """Connect, and make the tables where there are none.

        Raises:
            SinkError: the database can't be reached or does not let us.
            InputError: it was written by a newer version.
        """
        with self._failing(), self._ready():
            pass

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _failing(self) -> Generator[None]:
        import psycopg

        try:
            yield
        except psycopg.Error as problem:
            with suppress(psycopg.Error):
                self.close()
            raise SinkError(told(problem, self._url)) from problem

    @contextmanager
    def _ready(self) -> "Generator[psycopg.Connection[tuple[Any, ...]]]":
        if self._connection is None:
            connection = connect(self._url)
            try:
                prepare(connection)
            except BaseException:  # whatever it was, nobody else would close it
                connection.close()
                raise
            self._connection = connection
        yield self._connection


class PostgresCalls:
    """The captured calls of every gateway that drains into one database.

    Raises:
        Unavailable: the extra is not installed.
        ConfigError: the URL is none.
    """

    def __init__(self, url: str) -> None:
        self._url = checked_url(url)

    def lines(self, task: str = "", tier: str = "") -> Iterator[tuple[str, bytes]]:
        """Yield each call's id and line, oldest first.

        Raises:
            InputError: the database can't be reached, or is of a newer version.
        """
        with self._reading() as connection:
            for row in _paged(connection, _LINES, (task, task, tier, tier)):
                yield str(row[0]), bytes(row[1])

    def tallies(self, ids: Sequence[str] = ()) -> tuple[list[Tally], set[str]]:
        """Return the number of calls by task, tier, decision and reason, and those of the ids
        that are among them.

        Raises:
            InputError: the database can't be reached, or is of a newer version.
        """
        from psycopg import IsolationLevel

        known: set[str] = set()
        with self._reading() as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            with limited(connection, _READ_S):
                tallies = [Tally(*row) for row in connection.execute(_TALLY)]
                for start in range(0, len(ids), _IDS):
                    rows = connection.execute(_KNOWN, (list(ids[start : start + _IDS]),))
                    known.update(str(row[0]) for row in rows)
        return tallies, known

    @contextmanager
    def follow(self) -> "Generator[PostgresFollower]":
        """Connect for reading on in the order in which calls came in.

        Raises:
            InputError: the database can't be reached, or is of a newer version.
        """
        with self._reading() as connection:
            yield PostgresFollower(connection)

    def _reading(self) -> "AbstractContextManager[psycopg.Connection[tuple[Any, ...]]]":
        return opened(self._url, "read")


class PostgresFollower:
    """Reads on in a database of calls; see `store.following.Follower`."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self._connection = connection

    def same_store(self, seq: int, id: str) -> bool:
        """Say whether this is the database in which the call `id` came in as `seq`."""
        found = self._one(_AT, seq)
        if found is not None:
            return found == id
        # A row that was deleted since does not speak against it.
        return (self._one(_GIVEN, None) or 0) >= seq

    def after(self, seq: int) -> Iterator[Row]:
        """Yield the rows behind `seq`, in order."""
        for row in _paged(self._connection, _AFTER, (seq,)):
            yield Row(int(row[0]), str(row[1]), bytes(row[2]))

    def line(self, id: str) -> bytes | None:
        """Return the line of that call, or None."""
        return self._one(_LINE, id)

    def _one(self, query: LiteralString, value: object) -> Any:
        connection = self._connection
        # While pages are read a transaction is open already, with its own limits.
        with deadline(connection, _READ_S + 2):
            row = connection.execute(query, (value,)).fetchone()
        return row[0] if row else None


def _paged(
    connection: "psycopg.Connection[tuple[Any, ...]]", query: LiteralString, values: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of one moment, however many; each page has a deadline of its own."""
    with connection.transaction():
        limit(connection, _READ_S)
        with connection.cursor(name="stepdown_pages") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(query, values)
            while True:
                with deadline(connection, _READ_S + 2):
                    rows = cursor.fetchmany(_PAGE)
                if not rows:
                    return
                yield from rows


def _plain(column: Sequence[Any]) -> list[Any]:
    """Return the values as the database takes them: in its text no character is zero."""
    return [value.replace("\0", "") if isinstance(value, str) else value for value in column]
