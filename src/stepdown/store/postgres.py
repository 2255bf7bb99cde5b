"""The shared store: captured calls in PostgreSQL, moved there by drainers, read by the commands.

Every statement is constant text with bound values, and has a deadline: the server's own, and one on
this side that cuts the connection, since a server that is stopped keeps no time.
"""

import logging
import os
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from socket import SHUT_RDWR, socket
from typing import TYPE_CHECKING, Any, LiteralString

from stepdown.core.ports import Tally
from stepdown.errors import ConfigError, InputError, Unavailable
from stepdown.store.drain import Batch, SinkError
from stepdown.store.following import Row

if TYPE_CHECKING:
    import psycopg

__all__ = ["SCHEMA_VERSION", "PostgresCalls", "PostgresFollower", "PostgresSink", "checked_url"]

SCHEMA_VERSION = 1

_SCHEMA: tuple[LiteralString, ...] = (
    """CREATE TABLE stepdown_calls (
        id text COLLATE "C" PRIMARY KEY, seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        time float8 NOT NULL, task text NOT NULL,
        tier text NOT NULL, decision text NOT NULL, reason text NOT NULL, confidence float8,
        line bytea NOT NULL)""",
    "CREATE INDEX stepdown_calls_time ON stepdown_calls (time, id)",
    """CREATE TABLE stepdown_gaps (
        id text COLLATE "C" PRIMARY KEY, time float8 NOT NULL, dropped bigint NOT NULL,
        cause text NOT NULL)""",
    "CREATE TABLE stepdown_schema (version integer NOT NULL)",
    "INSERT INTO stepdown_schema VALUES (1)",
)
_INSERT = """INSERT INTO stepdown_calls (id, time, task, tier, decision, reason, confidence, line)
    SELECT * FROM unnest(%s::text[], %s::float8[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::float8[], %s::bytea[])
    ON CONFLICT (id) DO NOTHING"""
_INSERT_GAPS = """INSERT INTO stepdown_gaps (id, time, dropped, cause)
    SELECT * FROM unnest(%s::text[], %s::float8[], %s::bigint[], %s::text[])
    ON CONFLICT (id) DO NOTHING"""
_LINES = """SELECT id, line FROM stepdown_calls
    WHERE (%s = '' OR task = %s) AND (%s = '' OR tier = %s) ORDER BY time, id"""
_TALLY = """SELECT task, tier, decision, reason, count(*), min(time), max(time)
    FROM stepdown_calls GROUP BY task, tier, decision, reason"""
_KNOWN = "SELECT id FROM stepdown_calls WHERE id = ANY(%s)"
_LIMITS = """SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
    set_config('idle_in_transaction_session_timeout', %s, true)"""
_MADE = """SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class
    WHERE relname = 'stepdown_schema' AND pg_catalog.pg_table_is_visible(oid))"""
_VERSION = "SELECT version FROM stepdown_schema"
_LOCK = "SELECT pg_advisory_xact_lock(%s)"
_LOCK_KEY = 0x73746570646F776E
"""The schema is made and calls are added under this lock, so that whoever reads on behind a `seq`
misses nothing that was committed late; the number is the word's own bytes."""
_AFTER = "SELECT seq, id, line FROM stepdown_calls WHERE seq > %s ORDER BY seq"
_SEQ = "SELECT seq FROM stepdown_calls WHERE id = %s"
_LINE = "SELECT line FROM stepdown_calls WHERE id = %s"

_CONNECT_S = 3
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
        with self._failing(), self._ready() as connection, _limited(connection, _WRITE_S):
            connection.execute(_LOCK, (_LOCK_KEY,))
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
            raise SinkError(_told(problem, self._url)) from problem

    @contextmanager
    def _ready(self) -> "Generator[psycopg.Connection[tuple[Any, ...]]]":
        if self._connection is None:
            connection = _connect(self._url)
            try:
                _prepare(connection)
            except BaseException:
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
            with _limited(connection, _READ_S):
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

    @contextmanager
    def _reading(self) -> "Generator[psycopg.Connection[tuple[Any, ...]]]":
        import psycopg

        try:
            with closing(_connect(self._url)) as connection:
                _prepare(connection)
                yield connection
        except psycopg.Error as problem:
            raise InputError(
                f"The Postgres store can't be read ({_told(problem, self._url)}); "
                "start it, or mend [store] in stepdown.toml."
            ) from problem


class PostgresFollower:
    """Reads on in a database of calls; see `store.following.Follower`."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self._connection = connection

    def same_store(self, seq: int, id: str) -> bool:
        """Say whether this is the database in which the call `id` came in as `seq`."""
        return self._one(_SEQ, id) == seq

    def after(self, seq: int) -> Iterator[Row]:
        """Yield the rows behind `seq`, in order."""
        for row in _paged(self._connection, _AFTER, (seq,)):
            yield Row(int(row[0]), str(row[1]), bytes(row[2]))

    def line(self, id: str) -> bytes | None:
        """Return the line of that call, or None."""
        return self._one(_LINE, id)

    def _one(self, query: LiteralString, id: str) -> Any:
        connection = self._connection
        # While pages are read a transaction is open already, with its own limits.
        with _deadline(connection, _READ_S + 2):
            row = connection.execute(query, (id,)).fetchone()
        return row[0] if row else None


def checked_url(url: str) -> str:
    """Return the URL of a database when it is one.

    Raises:
        Unavailable: the extra is not installed.
        ConfigError: the URL is none; it is not repeated, since it may hold a password.
    """
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise Unavailable(
            "A Postgres store needs an extra that is not installed; "
            "run `pip install 'stepdown[postgres]'`."
        ) from error
    # It logs what it could not roll back on a connection that is gone; we tell of that ourselves.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    try:
        authority, _, path = url.partition("//")[2].partition("/")
        # A second @ is a password's own: what follows the first would be told as a host's name.
        sound = authority.count("@") <= 1 and "@" not in path and conninfo_to_dict(url)
    except ProgrammingError:
        sound = False
    if not sound:
        # What libpq says of it can hold parts of a password.
        raise ConfigError(
            "[store] url is not a database's address; write postgresql://user@host:port/name and "
            "percent-encode what is special in a password."
        )
    return url


def _connect(url: str) -> "psycopg.Connection[tuple[Any, ...]]":
    import psycopg

    return psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=_CONNECT_S,
        application_name="stepdown",
        tcp_user_timeout=int(_WRITE_S * 1000),
        # Poolers hand a connection on after each transaction, prepared statements and all.
        prepare_threshold=None,
    )


def _prepare(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Make the tables where there are none; those of a newer version are left alone."""
    with _limited(connection, _WRITE_S):
        if not _made(connection):
            connection.execute(_LOCK, (_LOCK_KEY,))
            if not _made(connection):
                for statement in _SCHEMA:
                    connection.execute(statement)
        row = connection.execute(_VERSION).fetchone()
    if row is not None and row[0] > SCHEMA_VERSION:
        raise InputError("The database was written by a newer stepdown; upgrade to use it.")


def _made(connection: "psycopg.Connection[tuple[Any, ...]]") -> bool:
    row = connection.execute(_MADE).fetchone()
    return row is not None and bool(row[0])


def _paged(
    connection: "psycopg.Connection[tuple[Any, ...]]", query: LiteralString, values: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of one moment, however many; each page has a deadline of its own."""
    with connection.transaction():
        _limit(connection, _READ_S)
        with connection.cursor(name="stepdown_pages") as cursor:
            cursor.itersize = _PAGE
            cursor.execute(query, values)
            while True:
                with _deadline(connection, _READ_S + 2):
                    rows = cursor.fetchmany(_PAGE)
                if not rows:
                    return
                yield from rows


@contextmanager
def _limited(connection: "psycopg.Connection[tuple[Any, ...]]", seconds: float) -> Generator[None]:
    """A transaction that ends in time: the server stops a statement, we a silent server."""
    with _deadline(connection, seconds + 2), connection.transaction():
        _limit(connection, seconds)
        yield


def _limit(connection: "psycopg.Connection[tuple[Any, ...]]", seconds: float) -> None:
    limit = str(int(seconds * 1000))
    connection.execute(_LIMITS, (limit, limit, limit))


@contextmanager
def _deadline(connection: "psycopg.Connection[tuple[Any, ...]]", seconds: float) -> Generator[None]:
    """Cut the connection if the block takes longer; what waits on it fails then."""
    timer = threading.Timer(seconds, _cut, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    with suppress(OSError), socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(SHUT_RDWR)


def _plain(column: Sequence[Any]) -> list[Any]:
    """Return the values as the database takes them: in its text no character is zero."""
    return [value.replace("\0", "") if isinstance(value, str) else value for value in column]


def _told(problem: "psycopg.Error", url: str) -> str:
    """Return what the driver says, on one line and without the password."""
    from psycopg.conninfo import conninfo_to_dict

    text = " ".join(str(problem).split()) or type(problem).__name__
    password = conninfo_to_dict(url).get("password") or os.environ.get("PGPASSWORD")
    return text.replace(str(password), "***") if password else text
