"""Calls that were read before under another id, or none: by what they say and when."""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

from stepdown.core.calls import DAY_S, Call
from stepdown.logs.lines import UNNAMED

__all__ = ["Echoes", "echo_of"]

_DATED = re.compile(r"-\d{4}-?\d\d-?\d\d$")


def echo_of(call: Call) -> int:
    """Return a hash of model, second and texts, the same in every process; 0 without a second.

    Tools' exports call one model by its name or by its dated name. Midnight sharp is a date.
    """
    if call.time is None or not (second := int(call.time)) % DAY_S:
        return 0
    texts = [message.text for message in call.request.messages]
    told = "\0".join((_undated(call.model), str(second), call.answer.text or "", *texts))
    data = told.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())


@lru_cache(1024)
def _undated(model: str) -> str:
    return _DATED.sub("", model)


class Echoes:
    """The echoes of the calls of earlier files, and of the file that is being read.

    In one file calls of different ids are different calls, however alike: only a call without an
    id is held against those of its own file. At most `limit` echoes are held.
    """

    def __init__(self, limit: int) -> None:
        self.several = False
        self._limit = limit
        self._earlier: set[int] = set()
        self._here: set[int] = set()
        self._file: object = None

    def wanted(self, name: str) -> bool:
        """Say whether a call of that id could have been read before under another."""
        return self.several or name.startswith(UNNAMED)

    def add(self, name: str, echo: int, file: object) -> bool:
        """Take in a call's echo; say whether it was there before."""
        if not echo or not self.wanted(name):
            return False
        self._turn(file)
        if echo in self._earlier or (name.startswith(UNNAMED) and echo in self._here):
            return True
        if len(self._earlier) + len(self._here) < self._limit:
            self._here.add(echo)
        return False

    def add_all(self, marks: Sequence[tuple[str, int]], file: object) -> bool:
        """Take in the echoes of calls none of which was there before; else say False."""
        self._turn(file)
        told = [echo for name, echo in marks if echo and self.wanted(name)]
        fresh = set(told)
        unnamed = any(name.startswith(UNNAMED) for name, _ in marks)
        if unnamed and (len(fresh) < len(told) or not fresh.isdisjoint(self._here)):
            return False
        if not fresh.isdisjoint(self._earlier):
            return False
        if len(self._earlier) + len(self._here) + len(fresh) > self._limit:
            return False
        self._here |= fresh
        return True

    def _turn(self, file: object) -> None:
        if file is not self._file:
            self._earlier |= self._here
            self._here, self._file = set(), file
