"""Moving captured calls from the outbox to a store that gateways share.

The outbox stays the durable journal: a call is committed there before its last byte goes out. One
thread takes the oldest rows, stores them elsewhere, and deletes them here once they are committed
there. Whoever dies in between, the same rows are stored again, and by their ids only once.
"""

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from stepdown.core.ports import Exchange
from stepdown.errors import InputError, StepdownError
from stepdown.store.reading import open_reader
from stepdown.store.sqlite import Done, Health, SqliteOutbox

__all__ = [
    "Batch",
    "DrainedHealth",
    "DrainedOutbox",
    "Sink",
    "SinkError",
    "drain_once",
    "drain_orphan",
]

_NEXT = """SELECT seq, id, time, task, tier, decision, reason, confidence, line FROM calls
    ORDER BY seq LIMIT ?"""
_GAPS = "SELECT rowid, time, dropped, cause FROM gaps ORDER BY rowid LIMIT ?"
_COUNT = """SELECT coalesce((SELECT max(seq) FROM calls) - (SELECT min(seq) FROM calls) + 1, 0)"""
_PAGES = "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count"
_PAGE_SIZE = "SELECT page_size FROM pragma_page_size"

_BATCH = 256
_BATCH_BYTES = 8 * 1024 * 1024
_IDLE_S = 0.25
_PAUSE_S = (0.1, 5.0)
_MEASURE_S = 0.5
_FAREWELL_S = 3.0
_MOMENT_S = 0.002
_GIB = 1024**3

_log = logging.getLogger(__name__)

T = TypeVar("T")


class SinkError(StepdownError):
    """The shared store did not take a batch, for now; its text holds no password."""


class Batch(msgspec.Struct, frozen=True):
    """The oldest rows of an outbox: `calls` as (seq, id, time, task, tier, decision, reason,
    confidence, line), `gaps` as (rowid, time, dropped, cause). `more`: there are others behind."""

    calls: list[tuple[Any, ...]]
    gaps: list[tuple[Any, ...]]
    more: bool

    def __bool__(self) -> bool:
        return bool(self.calls or self.gaps)


class Sink(Protocol):
    """Where a drainer moves calls to; it is used by one thread at a time."""

    def store(self, batch: Batch) -> None:
        """Store the rows, once each whatever happens.

        Raises:
            SinkError: they may be stored or not; the same again does no harm.
        """
        ...

    def close(self) -> None:
        """Let go of what is held."""
        ...


class DrainedHealth(Health, frozen=True):
    """How capture and the way to the shared store are doing.

    So many rows were `moved` since start, and `behind` wait in the outbox, using `behind_bytes` of
    the disk. `store_error` is "" while the shared store takes them.
    """

    moved: int = 0
    behind: int = 0
    behind_bytes: int = 0
    store_error: str = ""


class DrainedOutbox:
    """An outbox whose rows go on to a shared store; its health tells of both.

    `max_disk_bytes` bounds what may wait in the outbox: above that, exchanges are dropped and
    counted until the store has taken some. What the file held at the start does not count.
    """

    def __init__(self, outbox: SqliteOutbox, sink: Sink, *, max_disk_bytes: int = _GIB) -> None:
        self._outbox = outbox
        self._sink = sink
        self._moved = self._behind = 0
        self._used = used_bytes(outbox.path)
        self._max_bytes = max(max_disk_bytes, self._used + max_disk_bytes // 4)
        self._error = ""
        self._stop = threading.Event()
        self._moving = threading.Lock()
        self._thread = threading.Thread(target=self._drain, name="drainer", daemon=True)
        self._thread.start()

    def commit(self, exchanges: Sequence[Exchange]) -> bool:
        """Commit exchanges in the outbox at once; see `SqliteOutbox.commit`."""
        return self._outbox.commit(exchanges)

    def submit(self, exchange: Exchange, done: Done) -> bool:
        """Take an exchange into the outbox; see `SqliteOutbox.submit`."""
        return self._outbox.submit(exchange, done)

    @property
    def path(self) -> Path:
        """The file of the outbox."""
        return self._outbox.path

    def change(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Let `work` use the outbox's connection while no batch is on its way."""
        with self._moving:
            return self._outbox.change(work)

    def health(self) -> DrainedHealth:
        """Return the outbox's counts since start, and how far the shared store is behind."""
        return DrainedHealth(
            **msgspec.structs.asdict(self._outbox.health()),
            moved=self._moved,
            behind=self._behind,
            behind_bytes=self._used,
            store_error=self._error,
        )

    def close(self, timeout: float = 5.0) -> None:
        """Move what waits if that is quick, commit the rest, and let go of both."""
        self._stop.set()
        self._thread.join(_FAREWELL_S)
        self._outbox.close(timeout)
        if not self._thread.is_alive():
            self._sink.close()

    def _drain(self) -> None:
        failures, measured = 0, 0.0
        while not self._stop.is_set():
            try:
                more = self._step()
            except (StepdownError, sqlite3.Error) as problem:
                self._note(str(problem))
                failures += 1
                more = False
            else:
                self._note("")
                failures = 0
            if time.monotonic() - measured > _MEASURE_S:
                self._measure()
                measured = time.monotonic()
            if not more:
                self._stop.wait(_pause(failures) if failures else _IDLE_S)
        self._say_farewell()

    def _step(self) -> bool:
        with self._moving:
            moved, more = drain_once(self._outbox, self._sink)
        self._moved += moved
        self._behind = max(0, self._behind - moved)
        return more

    def _say_farewell(self) -> None:
        """Move what is left, as long as that works and takes no more than a moment."""
        until = time.monotonic() + _FAREWELL_S / 2
        try:
            while time.monotonic() < until and (self._outbox.health().waiting or self._step()):
                time.sleep(_MOMENT_S)
        except (StepdownError, sqlite3.Error) as problem:
            self._note(str(problem))

    def _measure(self) -> None:
        try:
            self._behind, self._used = waiting(self._outbox.path)
        except (sqlite3.Error, InputError) as problem:
            self._note(str(problem))
            return
        self._outbox.overfull = self._used > self._max_bytes

    def _note(self, error: str) -> None:
        if error and not self._error:
            _log.warning("The shared store takes no calls (%s); they wait in the outbox.", error)
        self._error = error


def drain_once(outbox: SqliteOutbox, sink: Sink) -> tuple[int, bool]:
    """Move the oldest rows; return how many calls that were, and whether there are more.

    Raises:
        SinkError: the sink did not take them; they stay.
        sqlite3.Error, InputError: the outbox can't be read or written; nothing is lost by it.
    """
    batch = next_batch(outbox.path)
    if not batch:
        return 0, False
    sink.store(batch)
    seq = batch.calls[-1][0] if batch.calls else 0
    gap = batch.gaps[-1][0] if batch.gaps else 0
    outbox.forget(seq, gap)
    return len(batch.calls), batch.more


def drain_orphan(path: Path, sink: Sink) -> int:
    """Move all that a gateway that is no more left in its outbox; return how many calls that were.

    Raises:
        UsageError: its gateway lives.
        SinkError, sqlite3.Error, InputError: as `drain_once`; the rest stays.
    """
    moved, more = 0, True
    with closing(SqliteOutbox(path)) as outbox:
        while more:
            some, more = drain_once(outbox, sink)
            moved += some
    return moved


def next_batch(path: Path) -> Batch:
    """Return the oldest rows of an outbox, bounded in number and bytes.

    Raises:
        sqlite3.Error, InputError: it can't be read.
    """
    calls: list[tuple[Any, ...]] = []
    size = 0
    with closing(open_reader(path)) as connection:
        gaps = connection.execute(_GAPS, (_BATCH,)).fetchall()
        for row in connection.execute(_NEXT, (_BATCH,)):
            calls.append(row)
            size += len(row[-1])
            if size >= _BATCH_BYTES:
                break
    return Batch(calls, gaps, len(calls) == _BATCH or size >= _BATCH_BYTES)


def waiting(path: Path) -> tuple[int, int]:
    """Return how many calls wait in an outbox, and how many bytes of its file they use.

    Raises:
        sqlite3.Error, InputError: it can't be read.
    """
    with closing(open_reader(path)) as connection:
        (behind,) = connection.execute(_COUNT).fetchone()
        return behind, _used(connection)


def used_bytes(path: Path) -> int:
    """Return how many bytes of an outbox's file are in use.

    Raises:
        sqlite3.Error, InputError: it can't be read.
    """
    with closing(open_reader(path)) as connection:
        return _used(connection)


def _used(connection: sqlite3.Connection) -> int:
    (pages,) = connection.execute(_PAGES).fetchone()
    (size,) = connection.execute(_PAGE_SIZE).fetchone()
    return pages * size


def _pause(failures: int) -> float:
    """Return how long to wait after so many failures: doubled each time, and never all at once."""
    least, most = _PAUSE_S
    return min(most, least * 2 ** min(failures, 10)) * random.uniform(0.5, 1.0)
