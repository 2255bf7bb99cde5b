"""A ledger of labels without what may not be kept, or no longer; what can't be cleaned keeps no
content."""

import os
import sqlite3
from collections.abc import Callable, Container
from contextlib import closing
from pathlib import Path

import msgspec

from stepdown.core.calls import Answer, Request
from stepdown.core.labels import MADE_OF, Failed, Parsed, Reserved, Step, Stored
from stepdown.store.schema import connect, take_lock

__all__ = ["cleaned", "drop_responses", "take_out"]


def cleaned(step: Step, clean: Callable[[bytes], bytes]) -> Step:
    """Return the step as it may be kept."""
    replace = msgspec.structs.replace
    try:
        match step:
            case Stored():
                return replace(step, raw=clean(step.raw))
            case Parsed():
                told = msgspec.json.encode(step.answer)
                return replace(step, answer=msgspec.json.decode(clean(told), type=Answer))
            case Reserved(request=Request()):
                told = msgspec.json.encode(step.request)
                return replace(step, request=msgspec.json.decode(clean(told), type=Request))
            case Failed():
                return replace(step, why=clean(step.why.encode()).decode())
            case _:
                return step
    except Exception:  # noqa: BLE001 - whatever fails, what was not cleaned is not kept
        match step:
            case Stored():
                return replace(step, raw=b"{}")
            case Parsed():
                return replace(step, outcome="unreadable", answer=Answer())
            case Failed():
                return replace(step, why="")
            case _:
                return replace(step, request=None)


def take_out(path: Path, mark: str, items: Container[str]) -> int:
    """Take the labels of somebody's inputs out of a ledger, what was asked and what was said; what
    was spent on them stays. Returns how many it were.

    Raises:
        UsageError: a labelling run is under way.
    """

    def work(connection: sqlite3.Connection) -> int:
        # A log of any size: one request at a time.
        rows = connection.execute("SELECT key, item, source, request FROM items")
        theirs = [
            (key,)
            for key, item, source, request in rows
            if source == mark or item in items or _made_of(request, items)
        ]
        connection.executemany("DELETE FROM items WHERE key = ?", theirs)
        return len(theirs)

    return _changed(path, work)


def _made_of(request: bytes | None, items: Container[str]) -> bool:
    """Say whether the inputs of one of the items stand in a request as examples."""
    if request is None:
        return False
    made_of = msgspec.msgpack.decode(request, type=Request).metadata.get(MADE_OF, ())
    return any(item in items for item in made_of)


def drop_responses(path: Path, before: float) -> int:
    """Take out the raw responses of before that time that were read; the labels stay.

    Raises:
        UsageError: a labelling run is under way.
    """

    def work(connection: sqlite3.Connection) -> int:
        return connection.execute(_DROP, (before,)).rowcount

    return _changed(path, work)


_DROP = "UPDATE items SET raw = NULL WHERE state = 'parsed' AND raw IS NOT NULL AND time < ?"


def _changed(path: Path, work: Callable[[sqlite3.Connection], int]) -> int:
    if not path.exists():
        return 0
    held = take_lock(path, "labelling run")
    try:
        with closing(connect(path, "sync")) as connection:
            connection.execute("BEGIN IMMEDIATE")
            count = work(connection)
            connection.execute("COMMIT")
            if count:
                connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return count
    finally:
        os.close(held)
