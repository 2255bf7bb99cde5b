"""Who takes calls out of the stores: the keeper of a running gateway, or the command itself.

A gateway holds the one connection that may write to its outbox. Whoever wants somebody forgotten
notes it in `forgotten.json`; the gateway's keeper takes that up within a second or two, and says in
a file beside the outbox when nothing is left.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from stepdown.cli.options import Session
from stepdown.cli.stores import database_url
from stepdown.core.calls import DAY_S
from stepdown.core.fingerprint import fingerprint
from stepdown.errors import InputError, Refusal, UsageError
from stepdown.store.keeping import Keeper, expire, sweep
from stepdown.store.postgres_shelf import PostgresShelf
from stepdown.store.shelves import Shelf, SqliteShelf, Writer
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace.files import publish_file
from stepdown.workspace.forgotten import read_forgotten

__all__ = ["clear_stores", "keeper_of"]

_WAIT_S = 120.0
_LOOK_S = 0.2


def keeper_of(session: Session, outbox: Writer) -> Keeper:
    """Start the keeper of a gateway's outbox, and of the database that it is moved to."""
    url, days = database_url(session), session.config.store.keep_days
    shelves: list[Shelf] = [SqliteShelf(outbox)]
    if url is not None and days is not None:
        shelves.append(PostgresShelf(url))
    told = _told_at(outbox.path)

    def done(gone: Mapping[str, float]) -> None:
        publish_file(told, fingerprint(gone).encode())

    def forgotten() -> Mapping[str, float]:
        return read_forgotten(session.workspace.forgotten).people

    keep_s = None if days is None else days * DAY_S
    # What was swept before the last stop needs no second time.
    gone = forgotten()
    seen = gone if _said(outbox.path) == fingerprint(gone) else None
    return Keeper(shelves, keep_s, forgotten, done, seen=seen)


def clear_stores(session: Session, *, before: float | None = None) -> int:
    """Take out of every store the calls of all who are forgotten, and those of `before` a time.

    Returns how many this process took out; what running gateways take out is not counted.

    Raises:
        Refusal: a gateway runs on the workspace and does not do it.
        StepdownError: a store can't be changed.
    """
    gone = read_forgotten(session.workspace.forgotten).people

    def clear(shelf: Shelf) -> int:
        count, _ = sweep(shelf, gone) if gone else (0, -1)
        return count + (expire(shelf, before) if before is not None else 0)

    removed = sum(_cleared(path, gone, clear) for path in session.workspace.outboxes().values())
    url = database_url(session)
    if url is not None:
        shelf = PostgresShelf(url)
        moved = clear(shelf)
        if moved:
            shelf.shrink()
        removed += moved
    return removed


def _cleared(path: Path, gone: Mapping[str, float], clear: Callable[[Shelf], int]) -> int:
    """Clear an outbox, or wait until the gateway that has it did."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            outbox = SqliteOutbox(path)
        except UsageError as problem:
            if not gone or _said(path) == fingerprint(gone):
                return 0
            if time.monotonic() > deadline:
                raise Refusal(
                    f"The gateway that has {path.name} did not take out what is to be forgotten; "
                    f"stop it and type the same command again ({problem})"
                ) from problem
            time.sleep(_LOOK_S)
            continue
        with closing(outbox):
            shelf = SqliteShelf(outbox)
            count = clear(shelf)
            while not shelf.shrink():
                if time.monotonic() > deadline:
                    raise InputError(f"{path.name} is read all the time; try again later.")
                time.sleep(_LOOK_S)
        publish_file(_told_at(path), fingerprint(gone).encode())
        return count


def _told_at(path: Path) -> Path:
    return path.with_name(f"{path.name}.swept")


def _said(path: Path) -> str:
    try:
        return _told_at(path).read_text("utf-8")
    except OSError:
        return ""
