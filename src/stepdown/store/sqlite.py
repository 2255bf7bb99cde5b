"""The SQLite outbox: every exchange of the gateway, committed before its last byte goes out.

Exactly one read-write connection exists per file, and a lock file keeps a second process out:
SQLite releases before 3.51.3 can lose a write when two connections reset the WAL at once. Readers
(`store.reading`) open the file read-only. A commit (WAL, synchronous=NORMAL) survives the death of
the process; what a power loss may take is the last moments before it.

A one-row commit writes to the page cache and takes some 0.05 ms; handing it to a thread and back
takes twice that. So while nothing waits and the disk is quick, the caller's own thread commits, and
what it has at once in one transaction, which takes a third for each; checkpoints, which do wait for
the disk, and whatever meets one, are the writer thread's.

When the disk fails, serving goes on: exchanges wait in a queue that is bounded in items and bytes,
what does not fit is dropped and counted, and once writing works again a row in `gaps` says how many
are missing.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal, TypeVar

import msgspec

from stepdown.core.ports import Durability, Exchange
from stepdown.store.reading import read_lines, read_tallies
from stepdown.store.schema import SCHEMA_VERSION, connect, open_store, take_lock

__all__ = ["Health", "SqliteOutbox", "read_lines", "read_tallies"]

_INSERT = """INSERT OR IGNORE INTO calls (id, time, task, tier, decision, reason, confidence, line)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_PROBE = f"PRAGMA user_version = {SCHEMA_VERSION}"
_INSERT_GAP = "INSERT INTO gaps (time, dropped, cause) VALUES (?, ?, ?)"
_FORGET = "DELETE FROM calls WHERE seq <= ?"
_FORGET_GAPS = "DELETE FROM gaps WHERE rowid <= ?"

_BATCH = 256
_STALL_S = 0.25
_SLOW_S = 0.005
_PAUSES = 20
_RETRY_S = (0.05, 0.2, 1.0)
_CHECKPOINT_EVERY = 2_000
_CHECKPOINT_BYTES = 4 * 1024 * 1024

_log = logging.getLogger(__name__)

T = TypeVar("T")
Done = Callable[[bool], None]
"""Told once, from the writer thread: True when the exchange is committed, False when the caller
must not wait for it (it may still be committed later, or was dropped and counted)."""


class _Waiting(msgspec.Struct, frozen=True):
    exchange: Exchange
    done: Done


_Step = _Waiting | Literal["checkpoint", "close", "probe"]


class Health(msgspec.Struct, frozen=True):
    """How capture is doing; `error` is "" while it works, `full` says that it drops what comes."""

    committed: int
    dropped: int
    waiting: int
    waiting_bytes: int
    error: str
    full: bool = False


class SqliteOutbox:
    """The one writer of a workspace's `calls.db`; `close` commits what waits.

    `async` acknowledges what is in the queue, `journal` what is committed, `sync` what is on disk.

    Raises:
        UsageError: another process writes to the file, or it can't be opened.
        InputError: the file is not a store of calls, or of a newer version.
    """

    def __init__(
        self,
        path: Path,
        *,
        durability: Durability = "journal",
        max_items: int = 10_000,
        max_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self.path = path
        self.overfull = False
        """Set from outside: the file has all that it may hold, and what comes is dropped."""
        self._durability: Durability = durability
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._queue: SimpleQueue[_Step] = SimpleQueue()
        self._connection_lock = threading.Lock()
        self._uncheckpointed = self._uncheckpointed_bytes = 0
        self._checkpoint_asked = False
        self._was_slow = False
        self._no_hurry_until = 0.0
        self._count_lock = threading.Lock()
        self._waiting = self._waiting_bytes = self._committed = 0
        self._dropped = self._unmarked = 0
        self._error = ""
        self._busy_since: float | None = None
        self._closing = threading.Event()
        self._lock_file = take_lock(path)
        try:
            self._connection: sqlite3.Connection | None = open_store(path, durability)
        except BaseException:  # whatever it was, the lock must not outlive it
            os.close(self._lock_file)
            raise
        self._thread = threading.Thread(target=self._write_all, name="outbox", daemon=True)
        self._thread.start()

    def submit(self, exchange: Exchange, done: Done) -> bool:
        """Take an exchange, and say whether that settled it.

        True: it is committed, or the caller must not wait for it. False: `done` will tell.
        """
        if self.commit([exchange]):
            return True
        size = len(exchange.line)
        with self._count_lock:
            full = (
                self._waiting >= self._max_items
                or self._waiting_bytes + size > self._max_bytes
                or self._closing.is_set()
                or self.overfull
            )
            if full:
                self._dropped += 1
                self._unmarked += 1
                return True
            self._waiting += 1
            self._waiting_bytes += size
        settled = self._durability == "async" or bool(self._error) or self._stalled()
        self._queue.put(_Waiting(exchange, _nobody if settled else done))
        return settled

    def health(self) -> Health:
        """Return the counts since start, and what is wrong if anything is."""
        stalled = "the disk takes long to write" if self._stalled() else ""
        return Health(
            self._committed,
            self._dropped,
            self._waiting,
            self._waiting_bytes,
            self._error or stalled,
            self.overfull
            or self._waiting >= self._max_items
            or self._waiting_bytes >= self._max_bytes,
        )

    def forget(self, seq: int, gap: int) -> None:
        """Delete the calls up to `seq` and the gaps up to `gap`: another store has them.

        Raises:
            sqlite3.Error: it could not be done, and nothing is gone.
        """

        def work(connection: sqlite3.Connection) -> int:
            with connection:
                connection.execute("BEGIN IMMEDIATE")
                gone = connection.execute(_FORGET, (seq,)).rowcount
                connection.execute(_FORGET_GAPS, (gap,))
            return gone

        self._uncheckpointed += self.change(work)
        if self._checkpoint_due:
            self._queue.put("checkpoint")

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let `work` use the connection; what comes meanwhile waits in the queue.

        Raises:
            sqlite3.Error: it could not be done; what it had not committed is undone.
        """
        with self._connection_lock:
            self._busy_since = time.monotonic()
            try:
                if self._connection is None:
                    self._connection = connect(self.path, self._durability)
                return work(self._connection)
            except sqlite3.Error as problem:
                self._fail(problem)
                self._queue.put("probe")
                raise
            finally:
                self._busy_since = None

    def close(self, timeout: float = 5.0) -> None:
        """Commit what waits, for at most `timeout` seconds, and let go of the file."""
        with self._count_lock:
            if self._closing.is_set():
                return
            self._closing.set()
        self._queue.put("close")
        self._thread.join(timeout)
        if not self._thread.is_alive():
            os.close(self._lock_file)

    def _stalled(self) -> bool:
        since = self._busy_since
        return since is not None and time.monotonic() - since > _STALL_S

    def commit(self, exchanges: Sequence[Exchange]) -> bool:
        """Commit on the caller's thread, if nothing waits and the last times were quick.

        False: nothing was done. So it is without a promise to keep, and where a commit waits for
        the disk.
        """
        if self._durability != "journal":
            return False
        started = time.monotonic()
        if self._waiting or self._error or started < self._no_hurry_until or self.overfull:
            return False
        if self._closing.is_set() or not self._connection_lock.acquire(blocking=False):
            return False
        try:
            self._commit(exchanges)
        except sqlite3.Error as problem:
            self._fail(problem)
            return False
        finally:
            self._connection_lock.release()
        took = time.monotonic() - started
        if took > _SLOW_S and self._was_slow:
            # So the caller's thread waits for the disk a tenth of the time at most. One slow commit
            # says nothing of the disk: on a busy machine threads wait for the processor.
            self._no_hurry_until = started + _PAUSES * took
        self._was_slow = took > _SLOW_S
        with self._count_lock:
            self._committed += len(exchanges)
        if self._checkpoint_due and not self._checkpoint_asked:
            self._checkpoint_asked = True
            self._queue.put("checkpoint")
        return True

    @property
    def _checkpoint_due(self) -> bool:
        return (
            self._uncheckpointed >= _CHECKPOINT_EVERY
            or self._uncheckpointed_bytes >= _CHECKPOINT_BYTES
        )

    def _write_all(self) -> None:
        step: _Step | None = None
        while step != "close":
            batch, step = self._next_batch()
            if batch or step == "probe":
                self._write(batch)
            if self._checkpoint_due:
                self._checkpoint()
        if self._connection is not None:
            with suppress(sqlite3.Error):
                if self._unmarked:
                    self._commit([])
                self._connection.close()

    def _next_batch(self) -> tuple[list[_Waiting], _Step | None]:
        """Wait for an exchange and take all that queued up behind it: one commit serves them all.

        The second value is what to do after it.
        """
        batch: list[_Waiting] = []
        step = self._queue.get()
        while isinstance(step, _Waiting):
            batch.append(step)
            if len(batch) == _BATCH:
                return batch, None
            try:
                step = self._queue.get_nowait()
            except Empty:
                return batch, None
        return batch, step

    def _write(self, batch: list[_Waiting]) -> None:
        """Commit a batch, trying again until it works, or until closing and it still fails."""
        exchanges = [item.exchange for item in batch]
        callers = [item.done for item in batch]
        for attempt in count():
            try:
                with self._connection_lock:
                    self._commit(exchanges)
                break
            except sqlite3.Error as problem:
                self._fail(problem)
            for done in callers:
                done(False)
            callers = []
            if self._closing.wait(_RETRY_S[min(attempt, len(_RETRY_S) - 1)]) and attempt > 2:
                self._settle(exchanges, dropped=len(exchanges))
                return
        self._settle(exchanges, committed=len(exchanges))
        for done in callers:
            done(True)

    def _checkpoint(self) -> None:
        """Move the log into the database; it waits for the disk, and no caller's thread does."""
        with self._connection_lock:
            self._uncheckpointed = self._uncheckpointed_bytes = 0
            self._checkpoint_asked = False
            self._busy_since = time.monotonic()
            try:
                if self._connection is not None:
                    self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            except sqlite3.Error as problem:
                self._fail(problem)
                self._queue.put("probe")
            finally:
                self._busy_since = None

    def _commit(self, exchanges: Sequence[Exchange]) -> None:
        self._busy_since = time.monotonic()
        try:
            connection = self._connection
            if connection is None:
                connection = self._connection = connect(self.path, self._durability)
            missing = self._unmarked
            if len(exchanges) == 1 and not missing:
                connection.execute(_INSERT, _row(exchanges[0]))  # commits by itself
            else:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(_INSERT, map(_row, exchanges))
                if not exchanges:
                    connection.execute(_PROBE)  # a commit of nothing would not try the disk
                if missing:
                    gap = (time.time(), missing, self._error or "the queue was full")
                    connection.execute(_INSERT_GAP, gap)
                connection.execute("COMMIT")
        finally:
            self._busy_since = None
        self._error = ""
        self._uncheckpointed += len(exchanges)
        self._uncheckpointed_bytes += sum([len(exchange.line) for exchange in exchanges])
        if missing:
            with self._count_lock:
                self._unmarked -= missing

    def _fail(self, problem: sqlite3.Error) -> None:
        """Note the failure and drop the connection: after a failed fsync it must not be trusted."""
        if not self._error:
            _log.warning("Capture stopped (%s); serving goes on, calls are queued.", problem)
        self._error = f"{self.path.name} can't be written: {problem}"
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _settle(self, exchanges: list[Exchange], committed: int = 0, dropped: int = 0) -> None:
        with self._count_lock:
            self._committed += committed
            self._dropped += dropped
            self._waiting -= len(exchanges)
            self._waiting_bytes -= sum(len(exchange.line) for exchange in exchanges)


def _nobody(committed: bool) -> None:
    """Stand in for a caller who was told already."""


def _row(exchange: Exchange) -> tuple[object, ...]:
    return (
        exchange.id,
        exchange.time,
        exchange.task,
        exchange.tier,
        exchange.decision,
        exchange.reason,
        exchange.confidence,
        exchange.line,
    )
