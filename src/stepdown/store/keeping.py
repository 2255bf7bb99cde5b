"""The keeper of a gateway: beside the requests it takes out calls that are too old or forgotten.

It works in a thread of its own, in small batches with pauses, through the outbox's own connection.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from stepdown.core.people import marks_in
from stepdown.errors import StepdownError
from stepdown.store.shelves import Shelf

__all__ = ["Keeper", "expire", "sweep"]

_LOOK_S = 1.0
_EXPIRE_S = 60.0
_BATCH = 200
_PAUSE_S = 0.02
_SHARED = (StepdownError, sqlite3.Error)

_log = logging.getLogger(__name__)

Forgotten = Mapping[str, float]
"""The mark of each person who was forgotten, and until when."""


def sweep(shelf: Shelf, gone: Forgotten, seq: int = -1) -> tuple[int, int]:
    """Take out the rows behind `seq` of those who are gone; returns how many, and the last row's
    place. Rows of after the moment of forgetting stay: that person has come back.

    Raises:
        StepdownError, sqlite3.Error: not all is done; what is gone is gone.
    """
    removed, until = 0, max(gone.values(), default=0.0)
    while rows := shelf.after(seq, until):
        theirs = [
            at for at, when, line in rows if any(when <= gone.get(m, -1.0) for m in marks_in(line))
        ]
        if theirs:
            shelf.remove(theirs)
        removed, seq = removed + len(theirs), rows[-1][0]
        time.sleep(_PAUSE_S)
    return removed, seq


def expire(shelf: Shelf, before: float) -> int:
    """Take out all rows of before that time; returns how many it were.

    Raises:
        StepdownError, sqlite3.Error: not all is done; what is gone is gone.
    """
    removed = 0
    while some := shelf.expire(before, _BATCH):
        removed += some
        time.sleep(_PAUSE_S)
    return removed


class Keeper:
    """Looks after shelves until `close`.

    Calls are kept for `keep_s` seconds (None: for good). `forgotten` says who is gone; once nothing
    of theirs is left, `done` is told the same; `seen` is what it was told last. `clock` is the time
    since the epoch.
    """

    def __init__(
        self,
        shelves: Sequence[Shelf],
        keep_s: float | None,
        forgotten: Callable[[], Forgotten],
        done: Callable[[Forgotten], None],
        clock: Callable[[], float] = time.time,
        seen: Forgotten | None = None,
    ) -> None:
        self._shelves = shelves
        self._keep_s = keep_s
        self._forgotten, self._done = forgotten, done
        self._clock = clock
        self._seen: Forgotten = seen or {}
        self._places = [-1 for _ in shelves]
        self._uncut = [False for _ in shelves]
        self._told = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; what is under way ends with its batch or is left for the next start."""
        self._stop.set()
        self._thread.join(2.0)

    def _keep(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(_LOOK_S):
            try:
                gone = self._forgotten()
                if gone != self._seen:
                    self._forget(gone)
                elif time.monotonic() >= due:
                    due = time.monotonic() + _EXPIRE_S
                    self.tend()
                self._told = ""
            except _SHARED as problem:
                if str(problem) != self._told:
                    _log.warning("Calls that should be gone are still kept (%s).", problem)
                self._told = str(problem)

    def _forget(self, gone: Forgotten) -> None:
        """Take out everything of those who are gone, from the first row on."""
        for at, shelf in enumerate(self._shelves):
            _, self._places[at] = sweep(shelf, gone)
            if not shelf.shrink():
                return
        self._seen = gone
        self._done(gone)

    def tend(self) -> None:
        """Take out what has become too old, and what came late of those who are gone."""
        for at, shelf in enumerate(self._shelves):
            if self._keep_s is not None:
                removed = expire(shelf, self._clock() - self._keep_s)
                if removed or self._uncut[at]:
                    self._uncut[at] = not shelf.shrink(whole=False)
            if self._seen:
                _, self._places[at] = sweep(shelf, self._seen, self._places[at])
