"""The purse: money that was set aside, in a file of its own, so that a cap outlives the process.

Each lease is on disk before it is told, so neither a killed process nor a lost machine spends it
twice. It is asked for chunks of money, not for each call, and on a thread of its own.

Unlike `calls.db` the file has a rollback journal and no WAL: that is slower, and here it does not
matter; and processes may share it, since the fault of older SQLite releases with two writers is one
of WAL. So the workers of a port, or gateways on one workspace, spend from one purse.
"""

import sqlite3
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stepdown.errors import InputError, StepdownError, UsageError
from stepdown.store.schema import make_private, make_schema, prepared

__all__ = ["SqlitePurse"]

_VERSION = 1
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS spent (account TEXT NOT NULL, window TEXT NOT NULL,
        nanodollars INTEGER NOT NULL, PRIMARY KEY (account, window)) WITHOUT ROWID""",
    f"PRAGMA user_version = {_VERSION}",
)
_OPEN = "INSERT OR IGNORE INTO spent (account, window, nanodollars) VALUES (?, ?, 0)"
_READ = "SELECT nanodollars FROM spent WHERE account = ? AND window = ?"
_ADD = "UPDATE spent SET nanodollars = nanodollars + ? WHERE account = ? AND window = ?"
_FORGET = "DELETE FROM spent WHERE window < ? AND window <> 'total'"
_BUSY_S = 5.0
_KEPT = timedelta(days=400)


class SqlitePurse:
    """A workspace's `spend.db`, opened when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def lease(self, account: str, window: str, amount: int, cap: int, least: int = 0) -> int:
        """Set aside up to `amount`, but nothing where it would be less than `least`, so that no
        more than `cap` is set aside in all; returns it.

        Raises:
            StepdownError: the file can't be written; nothing was set aside.
        """
        return self._changed(account, window, amount, cap, least)

    def settle(self, account: str, window: str, amount: int) -> None:
        """Add what was spent beyond what was set aside; less than 0: give back what was not.

        Raises:
            StepdownError: the file can't be written; nothing has changed.
        """
        self._changed(account, window, amount, None)

    def spent(self, account: str, window: str) -> int:
        """Return what is set aside or spent.

        Raises:
            StepdownError: the file can't be read.
        """
        with self._guard:
            try:
                found = self._opened().execute(_READ, (account, window)).fetchone()
            except (sqlite3.Error, OSError) as problem:
                raise self._failed(problem) from problem
        return found[0] if found else 0

    def close(self) -> None:
        """Let go of the file."""
        with self._guard:
            self._drop()

    def _changed(
        self, account: str, window: str, amount: int, cap: int | None, least: int = 0
    ) -> int:
        key = (account, window)
        with self._guard:
            try:
                connection = self._opened()
                connection.execute("BEGIN IMMEDIATE")
                connection.execute(_OPEN, key)
                before = connection.execute(_READ, key).fetchone()[0]
                change = amount if cap is None else max(0, min(amount, cap - before))
                if cap is not None and change < least:
                    change = 0
                change = max(change, -before)
                connection.execute(_ADD, (change, *key))
                connection.execute("COMMIT")
            except (sqlite3.Error, OSError, OverflowError) as problem:
                # After a failed fsync a connection must not be trusted.
                self._drop()
                raise self._failed(problem) from problem
            return change

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private(self._path)
            self._connection = prepared(self._path, self._prepare, _BUSY_S)
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = DELETE")
        # Each commit waits for the disk: what a lost machine forgot would be spent twice.
        connection.execute("PRAGMA synchronous = FULL")
        if make_schema(connection, _SCHEMA) > _VERSION:
            raise InputError(f"{self._path} was written by a newer stepdown; upgrade to use it.")
        connection.execute(_FORGET, ((datetime.now(UTC) - _KEPT).date().isoformat(),))

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _failed(self, problem: Exception) -> StepdownError:
        return UsageError(
            f"{self._path.name} can't be used ({problem}), so nothing can be spent against a "
            "limit; mend the disk, or move the file away to begin every limit anew."
        )
