"""The file behind the outbox: its lock, its schema, and how it is opened for writing."""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from stepdown.core.ports import Durability
from stepdown.errors import InputError, UsageError
from stepdown.store.damage import tell_damage

__all__ = [
    "SCHEMA_VERSION",
    "connect",
    "file_system",
    "make_private",
    "make_schema",
    "not_a_store",
    "open_store",
    "prepared",
    "take_lock",
]

SCHEMA_VERSION = 1

_log = logging.getLogger(__name__)

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = {"afs", "ceph", "cifs", "lustre", "nfs", "nfs4", "smb2", "smb3", "smbfs"} | {
    f"fuse.{name}" for name in ("glusterfs", "s3fs", "sshfs")
}
_SCHEMA = (
    """CREATE TABLE calls (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, time REAL NOT NULL, task TEXT NOT NULL,
        tier TEXT NOT NULL, decision TEXT NOT NULL, reason TEXT NOT NULL, confidence REAL,
        line BLOB NOT NULL)""",
    "CREATE TABLE gaps (time REAL NOT NULL, dropped INTEGER NOT NULL, cause TEXT NOT NULL)",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


_SYSTEM = frozenset(
    (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
)
"""What SQLite answers where the system refuses a file, whatever stands in it."""


def take_lock(path: Path, writer: str = "gateway") -> int:
    """Take the lock beside the database and return its descriptor; closing it lets go.

    A descriptor of the database itself, when closed, would drop the POSIX locks that SQLite holds.

    Raises:
        UsageError: another process has the lock, the folder can't be made or written, or it is on
            a network file system.
    """
    kind = file_system(path)
    if kind in _NETWORK:
        raise UsageError(
            f"{path} is on {kind}, a network file system, where SQLite can lose what it has "
            "written; choose a --workspace on a local disk."
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as problem:
        raise UsageError(
            f"{path} can't be opened ({problem.strerror}); choose another --workspace."
        ) from problem
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        os.close(held)
        raise UsageError(
            f"Another {writer} writes to {path}; stop it, or choose another --workspace."
        ) from problem
    return held


def file_system(path: Path) -> str:
    """Return the kind of file system that a file is or would be on, "" where it can't be told."""
    try:
        mounts = _MOUNTS.read_text("utf-8", "replace").splitlines()
        whole = str(path.resolve())
    except (OSError, RuntimeError):
        return ""
    best, kind = -1, ""
    for mount in mounts:
        left, _, right = mount.partition(" - ")
        point = left.split(" ")[4].replace("\\040", " ").rstrip("/")
        if len(point) >= best and (whole == point or whole.startswith(f"{point}/")):
            best, kind = len(point), right.split(" ")[0]
    return kind


def connect(
    path: Path,
    durability: Durability = "journal",
    then: Callable[[sqlite3.Connection], None] | None = None,
) -> sqlite3.Connection:
    """Open the one read-write connection; checkpoints are the caller's, `then` sees to the rest.

    With `sync` every commit waits for the disk; else what was committed survives the process, and
    the last of it may be lost with the machine.

    Raises:
        sqlite3.Error: it can't be opened, or it is no database.
    """

    def prepare(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        level = "FULL" if durability == "sync" else "NORMAL"
        connection.execute(f"PRAGMA synchronous = {level}")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        # What is deleted is overwritten.
        connection.execute("PRAGMA secure_delete = ON")
        if then is not None:
            then(connection)

    return prepared(path, prepare)


def prepared(
    path: Path, prepare: Callable[[sqlite3.Connection], None], busy_s: float = 0.0
) -> sqlite3.Connection:
    """Open a file for writing and prepare the connection; where that fails, it is closed again."""
    connection = sqlite3.connect(
        path, timeout=busy_s, isolation_level=None, check_same_thread=False
    )
    try:
        prepare(connection)
    except BaseException:  # whatever it was, nobody else would close it
        connection.close()
        raise
    return connection


def make_schema(connection: sqlite3.Connection, statements: Sequence[str]) -> int:
    """Make the tables of a file that has none, at once or not at all; the last statement sets its
    version. Returns the version that the file had, 0 for a new one."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0:
        connection.execute("BEGIN IMMEDIATE")
        for statement in statements:
            connection.execute(statement)
        connection.execute("COMMIT")
    return version


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone may read, unless there is one."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def open_store(path: Path, durability: Durability = "journal") -> sqlite3.Connection:
    """Open the database, private to its owner, with its schema in place.

    Raises:
        InputError: it is not a store of calls, or of a newer version.
    """
    make_private(path)

    def then(connection: sqlite3.Connection) -> None:
        if make_schema(connection, _SCHEMA) > SCHEMA_VERSION:
            raise InputError(f"{path} was written by a newer stepdown; upgrade to read it.")
        tell_damage(path, _log)

    try:
        return connect(path, durability, then)
    except sqlite3.Error as problem:
        raise not_a_store(path, problem) from problem


def not_a_store(path: Path, problem: sqlite3.Error) -> InputError:
    """Return the error for a file that SQLite can't read as our store, or can't read at all."""
    code: int | None = getattr(problem, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _SYSTEM:
        return InputError(f"{path} can't be used ({problem}); check its permissions and the disk.")
    return InputError(f"{path} is not a store of calls ({problem}); move it away.")
