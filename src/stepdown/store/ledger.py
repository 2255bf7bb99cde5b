"""The ledger of paid labels, `labels.db`: what was asked, what came back, what it may have cost.

An item goes through `reserved → sent → stored → parsed`. Each step is on the disk (WAL,
synchronous=FULL) before what follows it happens: a question is recorded before its bytes go out, a
raw response before it counts as an answer. So what is stored is never paid for again, and what was
sent without an answer is known to be so. One process writes; readers open the file read-only.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec

from stepdown.core.calls import Answer, Request, Usage
from stepdown.core.fingerprint import fingerprint
from stepdown.core.labels import (
    Batched,
    Failed,
    Kept,
    Label,
    LabelRun,
    Parsed,
    Reserved,
    Sent,
    Spend,
    Step,
    Stored,
    Why,
)
from stepdown.errors import InputError, UsageError
from stepdown.store.cleaning import cleaned
from stepdown.store.reading import open_reader
from stepdown.store.schema import connect, make_private, make_schema, take_lock

__all__ = ["Ledger", "read_labels", "read_requests", "read_spend"]

_VERSION = 1
_SCHEMA = (
    """CREATE TABLE runs (id TEXT PRIMARY KEY, task TEXT NOT NULL, teacher TEXT NOT NULL,
        terms TEXT NOT NULL)""",
    """CREATE TABLE items (seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, run TEXT NOT NULL,
        task TEXT NOT NULL, item TEXT NOT NULL, teacher TEXT NOT NULL, why TEXT NOT NULL,
        probability REAL, source TEXT NOT NULL, repeat INTEGER NOT NULL, request BLOB,
        state TEXT NOT NULL, raw BLOB, usage TEXT, cost TEXT, time REAL, outcome TEXT,
        answer BLOB)""",
    "CREATE INDEX items_of_task ON items (task, seq)",
    "CREATE INDEX items_of_run ON items (run, seq)",
    """CREATE TABLE sends (key TEXT NOT NULL, number INTEGER NOT NULL, run TEXT NOT NULL,
        time REAL NOT NULL, bound TEXT, state TEXT NOT NULL, why TEXT NOT NULL DEFAULT '',
        cost TEXT, batch TEXT NOT NULL, PRIMARY KEY (key, number)) WITHOUT ROWID""",
    "CREATE INDEX sends_of_batch ON sends (batch) WHERE batch <> ''",
    "CREATE TABLE batches (name TEXT PRIMARY KEY, run TEXT, time REAL, id TEXT, ended INTEGER)",
    f"PRAGMA user_version = {_VERSION}",
)
_NEW_RUN = "INSERT INTO runs (id, task, teacher, terms) VALUES (?, ?, ?, ?)"
_RUNS = "SELECT id, terms FROM runs WHERE task = ? AND teacher = ? ORDER BY rowid DESC"
# What an earlier run has asked already belongs to the newest run that wants it, for that one's
# reason, and is read anew; to ask it again is no reason of its own.
_RESERVE = """INSERT INTO items (key, run, task, item, teacher, why, probability, source, repeat,
        request, state) SELECT ?, id, task, ?, teacher, ?, ?, ?, ?, ?, 'reserved' FROM runs
    WHERE id = ? ON CONFLICT (key) DO UPDATE SET run = excluded.run,
        probability = CASE excluded.why WHEN 'again' THEN probability
            ELSE excluded.probability END,
        why = CASE excluded.why WHEN 'again' THEN why ELSE excluded.why END,
        state = CASE WHEN run <> excluded.run AND raw IS NOT NULL THEN 'stored' ELSE state END"""
_SEND = """INSERT INTO sends (key, number, run, time, bound, batch, state)
    VALUES (?, ?, ?, ?, ?, ?, 'unknown') ON CONFLICT DO NOTHING"""
_BATCH = """INSERT INTO batches (name, run, time, id, ended) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET id = excluded.id, ended = excluded.ended"""
_BATCHES = """SELECT name, time, batches.id FROM batches JOIN runs ON runs.id = run WHERE NOT ended
    AND task = ? AND teacher = ? AND json_extract(terms, '$.address') = ? ORDER BY time, name"""
_SENT_IN = "SELECT key, number, bound FROM sends WHERE batch = ? AND state = 'unknown'"
_MARK = "UPDATE items SET state = 'sent' WHERE key = ? AND state = 'reserved'"
_STORE = """UPDATE items SET state = 'stored', raw = ?, usage = ?, cost = ?, time = ?
    WHERE key = ? AND state IN ('reserved', 'sent')"""
_ANSWERED = "UPDATE sends SET state = 'answered', cost = ? WHERE key = ? AND number = ?"
_FAIL = "UPDATE sends SET state = ?, why = ? WHERE key = ? AND number = ?"
_PARSE = "UPDATE items SET state = 'parsed', outcome = ?, answer = ? WHERE key = ?"
# Sends outlive their item where that was forgotten: what is asked again is counted on from them.
_COLUMNS = """asked.key, item, why, probability, source, repeat, request, raw,
        CASE WHEN state = 'parsed' THEN answer END,
        (SELECT ifnull(max(number), 0) FROM sends WHERE sends.key = asked.key),
        (SELECT count(*) FROM sends WHERE sends.key = asked.key AND sends.state = 'unknown'),
        (SELECT batch FROM sends JOIN batches ON name = batch
            WHERE sends.key = asked.key AND sends.state = 'unknown' AND NOT ended)"""
_BY_SEQ, _BY_RUN = "SELECT seq, ", "SELECT run, "
_OF_A_RUN = """ FROM items AS asked
    WHERE run = ? AND seq > ? AND state <> 'parsed' ORDER BY seq LIMIT 500"""
_OF_A_KEY = " FROM (SELECT ? AS key) AS asked LEFT JOIN items ON items.key = asked.key"
_KEPT, _FOUND = _BY_SEQ + _COLUMNS + _OF_A_RUN, _BY_RUN + _COLUMNS + _OF_A_KEY
_ITEMS = "SELECT item FROM items WHERE run = ?"
_DONE = "SELECT count(*) FROM items WHERE run = ? AND state IN ('stored', 'parsed')"
_SPENT = """SELECT sends.state, sends.cost, bound, items.cost FROM sends LEFT JOIN items USING (key)
    WHERE sends.run = ? OR sends.run IN (SELECT id FROM runs WHERE task = ?)"""
_LABELS = """SELECT seq, key, task, item, teacher, why, outcome, answer, probability, source,
        repeat, usage, cost, time
    FROM items WHERE task = ? AND state = 'parsed' AND seq > ? ORDER BY seq LIMIT 500"""
_REQUESTS = "SELECT item, request FROM items WHERE task = ? AND why = ? AND request NOTNULL"

_PAID = {None: "unknown", False: "free", True: "useless"}
_SPARE_BYTES = 4 * 1024 * 1024

_answer = msgspec.json.Decoder(Answer)
_usage = msgspec.json.Decoder(Usage)


class Ledger:
    """The one writer of a workspace's `labels.db`; `clean` takes out what may not be kept.

    Raises:
        UsageError: another process writes to the file, or it can't be opened.
        InputError: the file is no ledger, or of a newer version.
    """

    def __init__(self, path: Path, clean: Callable[[bytes], bytes] = bytes) -> None:
        self.path = path
        self._clean = clean
        self._spare = path.with_name(path.name + ".spare")
        self._lock = take_lock(path, "labelling run")
        try:
            self._connection: sqlite3.Connection | None = _open(path)
            self._keep_spare()
        except BaseException:  # whatever it was, the lock must not outlive it
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._drop()
        self._spare.unlink(missing_ok=True)
        os.close(self._lock)

    def find(self, task: str, teacher: str, terms: Mapping[str, str]) -> LabelRun | None:
        """Return the run that was begun under these terms; under others it is another run."""
        runs = self._runs(task, teacher)
        return next((run for run in runs if run.terms == terms), None)

    def last(self, task: str, teacher: str) -> LabelRun | None:
        """Return the run of the task and teacher that was begun last, under whatever terms."""
        return next(self._runs(task, teacher), None)

    def begin(self, task: str, teacher: str, terms: Mapping[str, str]) -> LabelRun:
        """Begin a run."""
        run = LabelRun(f"{fingerprint(terms, 8)}-{secrets.token_hex(3)}", task, teacher, terms)
        self._written([(_NEW_RUN, (run.id, task, teacher, _json(terms)))])
        return run

    def _runs(self, task: str, teacher: str) -> Iterator[LabelRun]:
        for name, terms in self._rows(_RUNS, (task, teacher)):
            yield LabelRun(name, task, teacher, msgspec.json.decode(terms))

    def commit(self, run: str, steps: Sequence[Step]) -> None:
        """Put the steps on disk, all of them or none.

        Raises:
            UsageError: the disk is full or broken; nothing was kept.
        """
        self._written(
            [change for step in steps for change in _changes(run, cleaned(step, self._clean))]
        )

    def kept(self, run: str) -> Iterator[Kept]:
        """Yield the run's items that are not parsed, in the order in which they were reserved."""
        last = -1
        while rows := self._rows(_KEPT, (run, last)):
            for seq, *row in rows:
                last = seq
                yield _kept(row)

    def found(self, reserved: Reserved) -> tuple[str, Kept]:
        """Return what became of a question, as it is reserved now; before it its run, or ""."""
        ((run, *row),) = self._rows(_FOUND, (reserved.key,))
        return run or "", _kept(row, reserved)

    def items(self, run: str) -> set[str]:
        """Return the items of a run."""
        return {item for (item,) in self._rows(_ITEMS, (run,))}

    def done(self, run: str, outcome: str = "") -> int:
        """Return how many items of the run have a stored response, of that outcome or of any."""
        return int(self._rows(f"{_DONE} AND ? IN ('', outcome)", (run, outcome))[0][0])

    def spend(self, run: str) -> Spend:
        """Return what the run has spent, in all its sittings."""
        return _sum(self._rows(_SPENT, (run, "")))

    def batches(self, task: str, teacher: str, address: str) -> list[Batched]:
        """Return a task's batches that are under way at a teacher's address, oldest first."""
        return [Batched(*row) for row in self._rows(_BATCHES, (task, teacher, address))]

    def sent_in(self, batch: str) -> dict[str, tuple[int, int | None]]:
        """Return the questions of a batch whose outcome is not known yet: number and bound."""
        return {
            key: (number, None if bound is None else int(bound))
            for key, number, bound in self._rows(_SENT_IN, (batch,))
        }

    def _rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._opened().execute(query, values).fetchall()
        except sqlite3.Error as problem:
            raise _failed(self.path, problem, "read") from problem

    def _written(self, changes: Sequence[tuple[str, tuple[object, ...]]]) -> None:
        try:
            self._transact(changes)
        except sqlite3.Error:
            # What is under way was paid for: it gets the room that was set aside for it.
            self._drop()
            self._spare.unlink(missing_ok=True)
            try:
                self._transact(changes)
            except sqlite3.Error as problem:
                self._drop()
                raise _failed(self.path, problem) from problem

    def _transact(self, changes: Sequence[tuple[str, tuple[object, ...]]]) -> None:
        connection = self._opened()
        connection.execute("BEGIN IMMEDIATE")
        for statement, values in changes:
            connection.execute(statement, values)
        connection.execute("COMMIT")

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _open(self.path)
        return self._connection

    def _drop(self) -> None:
        # After a failed write or fsync a connection must not be trusted.
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    @property
    def cramped(self) -> bool:
        """Whether the disk was full once, so that no more should be sent."""
        return not self._spare.exists()

    def _keep_spare(self) -> None:
        with suppress(OSError):
            self._spare.unlink(missing_ok=True)
        try:
            handle = os.open(self._spare, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                os.posix_fallocate(handle, 0, _SPARE_BYTES)
            finally:
                os.close(handle)
        except OSError as problem:
            self._drop()
            self._spare.unlink(missing_ok=True)
            raise _failed(self.path, problem) from problem


def _open(path: Path) -> sqlite3.Connection:
    make_private(path)

    def then(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA wal_autocheckpoint = 1000")
        if make_schema(connection, _SCHEMA) > _VERSION:
            raise InputError(f"{path} was written by a newer stepdown; upgrade to use it.")

    try:
        return connect(path, "sync", then)
    except sqlite3.Error as problem:
        raise _failed(path, problem, "opened") from problem


def _failed(path: Path, problem: Exception, what: str = "written") -> UsageError:
    mend = "make room on the disk or mend it" if what == "written" else "mend it"
    return UsageError(f"{path.name} can't be {what} ({problem}); {mend}, and try again.")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _changes(run: str, step: Step) -> Iterator[tuple[str, tuple[object, ...]]]:
    match step:
        case Reserved():
            request = msgspec.msgpack.encode(step.request) if step.request else None
            told = (step.item, step.why, step.probability, step.source, step.repeat, request)
            yield _RESERVE, (step.key, *told, run)
        case Sent():
            told = (step.key, step.number, run, step.time, _text(step.bound), step.batch)
            yield _SEND, told
            yield _MARK, (step.key,)
        case Batched():
            yield _BATCH, (step.name, run, step.time, step.id, step.ended)
        case Stored():
            usage = _json(step.usage) if step.usage else None
            cost = _text(step.cost)
            yield _STORE, (step.raw, usage, cost, step.time, step.key)
            yield _ANSWERED, (cost, step.key, step.number)
        case Failed():
            yield _FAIL, (_PAID[step.paid], step.why, step.key, step.number)
        case Parsed():
            yield _PARSE, (step.outcome, msgspec.json.encode(step.answer), step.key)


def _text(amount: int | None) -> str | None:
    # Attodollars of a long answer are more than SQLite's integers hold.
    return None if amount is None else str(amount)


def _kept(row: Sequence[Any], reserved: Reserved | None = None) -> Kept:
    key, item, why, probability, source, repeat, request, *rest = row
    raw, answer, sends, unknown, batch = rest
    if reserved is None:
        asked = msgspec.msgpack.decode(request, type=Request) if request else None
        reserved = Reserved(key, item, why, probability, source, repeat, asked)
    read = None if answer is None else _answer.decode(answer)
    return Kept(reserved, sends, unknown - bool(batch), raw, batch or "", read)


def _sum(rows: Sequence[tuple[Any, ...]]) -> Spend:
    known = answers = unpriced = unknown = useless = twice = 0
    more: int | None = 0
    for state, cost, bound, later in rows:
        if state == "free":
            continue
        answers += state == "answered"
        unknown += state == "unknown"
        useless += state == "useless"
        if cost is not None:
            known += int(cost)
            continue
        unpriced += state == "answered"
        twice += int(later) if state == "unknown" and later is not None else 0
        more = None if more is None or bound is None else more + int(bound)
    at_most = None if more is None else known + more
    return Spend(known, answers, unpriced, unknown, useless, at_most, twice)


def read_labels(path: Path, task: str) -> Iterator[Label]:
    """Yield the task's labels, oldest first; none where there is no ledger.

    Raises:
        InputError: the file is no ledger.
    """
    last = -1
    while rows := _read(path, _LABELS, (task, last)):
        for seq, *row in rows:
            last = seq
            yield _label(row)


def _label(row: Sequence[Any]) -> Label:
    *head, answer, probability, source, repeat, usage, cost, time = row
    return Label(
        *head,
        answer=_answer.decode(answer),
        probability=probability,
        source=source,
        repeat=repeat,
        usage=_usage.decode(usage) if usage else None,
        cost=None if cost is None else int(cost),
        time=time,
    )


def read_requests(path: Path, task: str, why: Why = "synthetic") -> dict[str, Request]:
    """Return the requests that no log has, by item: synthetic ones, or what was asked `again`."""
    rows = _read(path, _REQUESTS, (task, why))
    return {item: msgspec.msgpack.decode(request, type=Request) for item, request in rows}


def read_spend(path: Path, task: str) -> Spend:
    """Return what was spent on a task's labels, by whatever teacher."""
    return _sum(_read(path, _SPENT, ("", task)))


def _read(path: Path, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    if not path.exists():
        return []
    with closing(open_reader(path)) as connection:
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.Error as problem:
            raise InputError(
                f"{path} is no ledger of labels ({problem}); move it away."
            ) from problem
