"""The store that a configuration names: where the gateway captures to, and commands read from."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from stepdown.cli.options import Session
from stepdown.config import DATABASES
from stepdown.core.display import count
from stepdown.core.ports import CallStore
from stepdown.errors import ConfigError, InputError, UsageError
from stepdown.render import say
from stepdown.store.drain import DrainedOutbox, SinkError, drain_orphan
from stepdown.store.following import Follower, follow
from stepdown.store.postgres import PostgresCalls, PostgresFollower, PostgresSink
from stepdown.store.postgres_purse import PostgresPurse
from stepdown.store.reading import SharedCalls, SqliteCalls
from stepdown.store.spend import SqlitePurse
from stepdown.store.sqlite import SqliteOutbox

__all__ = [
    "captured_calls",
    "database_url",
    "drain_left",
    "following",
    "is_own",
    "open_outbox",
    "open_purse",
    "store_at",
]

_SQLITE = b"SQLite format 3\0"


def database_url(session: Session) -> str | None:
    """Return the URL of the database that calls are moved to; None where they stay.

    Raises:
        ConfigError: the variable that is to hold it is not set, or holds something else.
    """
    store = session.config.store
    if store.url_env is None:
        return None if store.url == "sqlite" else store.url
    url = os.environ.get(store.url_env, "").strip()
    if not url.startswith(DATABASES):
        raise ConfigError(
            f"The configuration takes the store's URL from {store.url_env}, which holds none; "
            f"export {store.url_env}=postgresql://user@host/name or remove the setting."
        )
    return url


def captured_calls(session: Session) -> CallStore:
    """Return where the workspace's captured calls are read.

    Raises:
        ConfigError, Unavailable: the database's URL or driver is not there.
    """
    url = database_url(session)
    if url is None:
        return SqliteCalls(session.workspace.calls)
    outboxes = session.workspace.outboxes().values()
    return SharedCalls(PostgresCalls(url), tuple(outboxes))


def is_own(session: Session, source: str) -> bool:
    """Say whether a log's path leads to the session's own store: its workspace or its `calls.db`.

    A folder of logs may be the workspace as well; it is its store where calls have been captured.
    """
    path, own = Path(source).absolute(), session.workspace
    if path not in (own.root.absolute(), own.calls.absolute()):
        return False
    return own.calls.exists() or database_url(session) is not None or not path.exists()


def store_at(session: Session, source: str) -> CallStore | None:
    """Return the store of captured calls that a log's path leads to: a workspace or its `calls.db`.

    None where it is neither.

    Raises:
        ConfigError, Unavailable: as in `captured_calls`, for the session's own.
    """
    if is_own(session, source):
        return captured_calls(session)
    path = Path(source) / "calls.db" if Path(source).is_dir() else Path(source)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return SqliteCalls(path) if file.read(len(_SQLITE)) == _SQLITE else None


@contextmanager
def following(session: Session) -> Generator[Follower | PostgresFollower | None]:
    """Open the captured calls for reading on; None where there are none yet.

    Raises:
        InputError: the file is no store of calls, or the database can't be read.
        ConfigError, Unavailable: the database's URL or driver is not there.
    """
    url = database_url(session)
    if url is not None:
        with PostgresCalls(url).follow() as store:
            yield store
    elif session.workspace.calls.exists():
        with follow(session.workspace.calls) as store:
            yield store
    else:
        yield None


def open_outbox(session: Session, worker: int = 1) -> SqliteOutbox | DrainedOutbox:
    """Open what the gateway's worker of that number captures to.

    A database that can't be reached holds no start up: calls wait in the outbox.

    Raises:
        UsageError: another gateway has the file, or it can't be opened.
        InputError: the file or the database is of a newer version, or the file is no store.
        ConfigError, Unavailable: the database's URL or driver is not there.
    """
    store = session.config.store
    url = database_url(session)
    sink = None if url is None else PostgresSink(url)
    outbox = SqliteOutbox(session.workspace.outbox(worker), durability=store.durability)
    if sink is None:
        return outbox
    try:
        sink.prepare()
    except SinkError as problem:
        say(f"The Postgres store can't be reached ({problem}); calls wait in {outbox.path.name}.")
    except InputError:
        outbox.close()
        raise
    return DrainedOutbox(outbox, sink, max_disk_bytes=store.outbox_bytes)


def open_purse(session: Session) -> SqlitePurse | PostgresPurse:
    """Return the purse that limits in money are kept in: gateways that share a database share it.

    Raises:
        ConfigError, Unavailable: the database's URL or driver is not there.
    """
    url = database_url(session)
    return SqlitePurse(session.workspace.spending) if url is None else PostgresPurse(url)


def drain_left(session: Session, workers: int) -> bool:
    """Move what workers of numbers above `workers` left, when there were more of them.

    Returns whether nothing is left to be moved.
    """
    url = database_url(session)
    left = {n: path for n, path in session.workspace.outboxes().items() if n > workers}
    if url is None or not left:
        return True
    sink = PostgresSink(url)
    done = [_drained(path, sink) for path in left.values()]
    sink.close()
    return all(done)


def _drained(path: Path, sink: PostgresSink) -> bool:
    try:
        moved = drain_orphan(path, sink)
    except (UsageError, InputError, SinkError, sqlite3.Error):
        return False
    if moved:
        say(f"{count(moved)} calls of a former worker moved to the database ({path.name}).")
    return True
