"""The purse that gateways on one database share: what one has leased, no other can spend.

What a gateway held when it was killed counts as spent, so that a cap is reached early rather than
late; see `core.ports.Purse`.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from stepdown.errors import InputError, StepdownError
from stepdown.store.postgres_link import checked_url, connect, limited, prepare, told

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresPurse"]

_OPEN = """INSERT INTO stepdown_spent (account, period, nanodollars) VALUES (%s, %s, 0)
    ON CONFLICT (account, period) DO NOTHING"""
_HELD = "SELECT nanodollars FROM stepdown_spent WHERE account = %s AND period = %s FOR UPDATE"
_READ = "SELECT nanodollars FROM stepdown_spent WHERE account = %s AND period = %s"
_ADD = """UPDATE stepdown_spent SET nanodollars = nanodollars + %s
    WHERE account = %s AND period = %s"""
_FORGET = "DELETE FROM stepdown_spent WHERE period < %s AND period <> 'total'"
_KEPT = timedelta(days=400)
_PATIENCE_S = 3.0
_TRIES = 2


class PostgresPurse:
    """Money in a table; the row of an account in a window is locked while it changes.

    Raises:
        Unavailable: the extra is not installed.
        ConfigError: the URL is none.
    """

    def __init__(self, url: str) -> None:
        self._url = checked_url(url)
        self._guard = threading.Lock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def lease(self, account: str, window: str, amount: int, cap: int, least: int = 0) -> int:
        """Set aside up to `amount`, but nothing where it would be less than `least`, so that no
        more than `cap` is set aside in all; returns it.

        Raises:
            StepdownError: the database can't be used; what it may have granted is nobody's.
        """
        return self._changed(account, window, amount, cap, least)

    def settle(self, account: str, window: str, amount: int) -> None:
        """Add what was spent beyond what was set aside; less than 0: give back what was not.

        Raises:
            StepdownError: the database can't be used.
        """
        self._changed(account, window, amount, None)

    def spent(self, account: str, window: str) -> int:
        """Return what is set aside or spent.

        Raises:
            StepdownError: the database can't be used.
        """

        def read(connection: "psycopg.Connection[tuple[Any, ...]]") -> int:
            row = connection.execute(_READ, (account, window)).fetchone()
            return int(row[0]) if row else 0

        return self._tried(read)

    def close(self) -> None:
        """Let go of the connection."""
        with self._guard:
            self._drop()

    def _changed(
        self, account: str, window: str, amount: int, cap: int | None, least: int = 0
    ) -> int:
        key = (account, window)

        def change(connection: "psycopg.Connection[tuple[Any, ...]]") -> int:
            connection.execute(_OPEN, key)
            row = connection.execute(_HELD, key).fetchone()
            before = int(row[0]) if row else 0
            granted = amount if cap is None else max(0, min(amount, cap - before))
            if cap is not None and granted < least:
                granted = 0
            granted = max(granted, -before)
            connection.execute(_ADD, (granted, *key))
            return granted

        return self._tried(change)

    def _tried(self, work: "Callable[[psycopg.Connection[tuple[Any, ...]]], int]") -> int:
        """Do the work in a transaction; again on a fresh connection where it failed before the
        commit. A commit that failed may have worked, so it is not tried again."""
        import psycopg

        with self._guard:
            for attempt in range(_TRIES):
                done = False
                try:
                    connection = self._opened()
                    with limited(connection, _PATIENCE_S):
                        found = work(connection)
                        done = True
                    return found
                except psycopg.Error as problem:
                    self._drop()
                    if done or attempt + 1 == _TRIES:
                        raise self._failed(problem) from problem
        raise AssertionError("the last try returns or raises")

    def _opened(self) -> "psycopg.Connection[tuple[Any, ...]]":
        if self._connection is None:
            connection = connect(self._url)
            try:
                prepare(connection)
                oldest = (datetime.now(UTC) - _KEPT).date().isoformat()
                with limited(connection, _PATIENCE_S):
                    connection.execute(_FORGET, (oldest,))
            except BaseException:  # whatever it was, nobody else would close it
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        import psycopg

        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def _failed(self, problem: "psycopg.Error") -> StepdownError:
        return InputError(
            f"The Postgres store can't be used ({told(problem, self._url)}), so nothing can be "
            "spent against a limit; start it, or mend [store] in stepdown.toml."
        )
