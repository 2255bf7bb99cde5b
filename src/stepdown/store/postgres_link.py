"""A connection to the shared database: opened in time, its tables there, and each statement with a
deadline: the server's own, and one on this side that cuts the connection, since a server that is
stopped keeps no time."""

import logging
import os
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from socket import SHUT_RDWR, socket
from typing import TYPE_CHECKING, Any, LiteralString

from stepdown.errors import ConfigError, InputError, Unavailable

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "LOCK",
    "LOCK_KEY",
    "SCHEMA_VERSION",
    "checked_url",
    "connect",
    "deadline",
    "limit",
    "limited",
    "opened",
    "prepare",
    "told",
]

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
    """CREATE TABLE stepdown_spent (
        account text NOT NULL, period text NOT NULL, nanodollars bigint NOT NULL,
        PRIMARY KEY (account, period))""",
    "CREATE TABLE stepdown_schema (version integer NOT NULL)",
    "INSERT INTO stepdown_schema VALUES (1)",
)
_LIMITS = """SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
    set_config('idle_in_transaction_session_timeout', %s, true)"""
_MADE = """SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class
    WHERE relname = 'stepdown_schema' AND pg_catalog.pg_table_is_visible(oid))"""
_VERSION = "SELECT version FROM stepdown_schema"
LOCK = "SELECT pg_advisory_xact_lock(%s)"
LOCK_KEY = 0x73746570646F776E
"""The schema is made and calls are added under this lock, so that whoever reads on behind a `seq`
misses nothing that was committed late; the number is the word's own bytes."""
_CONNECT_S = 3
_WRITE_S = 10.0


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


def connect(url: str) -> "psycopg.Connection[tuple[Any, ...]]":
    """Connect, in a few seconds or not at all.

    Raises:
        psycopg.Error: it can't be reached, or does not let us in.
    """
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


def prepare(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Make the tables where there are none; those of a newer version are left alone."""
    with limited(connection, _WRITE_S):
        if not _made(connection):
            connection.execute(LOCK, (LOCK_KEY,))
            if not _made(connection):
                for statement in _SCHEMA:
                    connection.execute(statement)
        row = connection.execute(_VERSION).fetchone()
    if row is not None and row[0] > SCHEMA_VERSION:
        raise InputError("The database was written by a newer stepdown; upgrade to use it.")


@contextmanager
def opened(url: str, doing: str) -> "Generator[psycopg.Connection[tuple[Any, ...]]]":
    """Connect to a database whose tables are there, for as long as the block runs; `doing` says
    what can't be done where it fails.

    Raises:
        InputError: it can't be reached, fails, or is of a newer version.
    """
    import psycopg

    try:
        with closing(connect(url)) as connection:
            prepare(connection)
            yield connection
    except psycopg.Error as problem:
        raise InputError(
            f"The Postgres store can't be {doing} ({told(problem, url)}); start it, or mend "
            "[store] in stepdown.toml."
        ) from problem


def _made(connection: "psycopg.Connection[tuple[Any, ...]]") -> bool:
    row = connection.execute(_MADE).fetchone()
    return row is not None and bool(row[0])


@contextmanager
def limited(connection: "psycopg.Connection[tuple[Any, ...]]", seconds: float) -> Generator[None]:
    """A transaction that ends in time: the server stops a statement, we a silent server."""
    with deadline(connection, seconds + 2), connection.transaction():
        limit(connection, seconds)
        yield


def limit(connection: "psycopg.Connection[tuple[Any, ...]]", seconds: float) -> None:
    """Let the server end each statement of the open transaction after so many seconds."""
    limit = str(int(seconds * 1000))
    connection.execute(_LIMITS, (limit, limit, limit))


@contextmanager
def deadline(connection: "psycopg.Connection[tuple[Any, ...]]", seconds: float) -> Generator[None]:
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


def told(problem: "psycopg.Error", url: str) -> str:
    """Return what the driver says, on one line and without the password."""
    from psycopg.conninfo import conninfo_to_dict

    text = " ".join(str(problem).split()) or type(problem).__name__
    password = conninfo_to_dict(url).get("password") or os.environ.get("PGPASSWORD")
    return text.replace(str(password), "***") if password else text
