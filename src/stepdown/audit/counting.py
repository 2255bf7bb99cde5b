"""The one pass over the calls: each into its group, and each group's tally.

Calls come one by one, or as parts that were counted elsewhere. Both ways end in the same: a part is
taken over only where every call of it would have found the same group here.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from stepdown.audit.grouping import Grouper, key_of
from stepdown.audit.parts import Known, Left, Part, known_of
from stepdown.audit.tally import Tally
from stepdown.core.calls import Call
from stepdown.core.ports import Progress, silent
from stepdown.core.tasks import texts

__all__ = ["Counting"]

_CHECKED_EVERY = 2_048
_SAMPLE_BYTES = 120_000_000
_REPEAT_ENTRIES = 400_000

_decode = msgspec.msgpack.Decoder(Call).decode


class Counting:
    """The groups found so far, and a tally of each. `taken` parts were taken over whole."""

    def __init__(self, progress: Progress = silent) -> None:
        self.grouper = Grouper()
        self.tallies: dict[int, Tally] = {}
        self.calls = 0
        self.placed = 0
        self.taken = 0
        self._progress = progress

    def add(self, call: Call) -> None:
        """Take one call."""
        self._told(1)
        for placed in self.grouper.add(call):
            self._tally(*placed)

    def finish(self) -> None:
        """Place what still waits."""
        self._progress("calls", self.calls, self.calls)
        for placed in self.grouper.finish():
            self._tally(*placed)

    def known(self) -> Known:
        """Return what another process has to know to count calls."""
        return known_of(self.grouper, self.tallies)

    def take(self, part: Part, calls: Callable[[], Sequence[Call]]) -> None:
        """Take the calls of a part; `calls` has them, for where what was counted does not hold."""
        if part.version != self.grouper.version or not self._has_room(part):
            for call in calls():
                self.add(call)
            return
        before = {key: self.grouper.bin(key).seen for key in part.seen}
        for left in part.left:
            call = _decode(left.data)
            key = key_of(call)
            self.grouper.bin(key).seen = before[key] + left.seen
            placed, due = self.grouper.wait(key, call, texts(call.request))
            self._tally_all(placed)
            if due is not None:
                for key, seen in before.items():
                    self.grouper.bin(key).seen = seen
                self._go_on(part.left, left.index, due, calls())
                return
        for key, seen in part.seen.items():
            self.grouper.bin(key).seen = before[key] + seen
        self._merge(part)
        self._told(sum(part.seen.values()))

    def _go_on(
        self,
        left: Iterable[Left],
        at: int,
        due: Callable[[], Iterable[tuple[Call, int]]],
        calls: Sequence[Call],
    ) -> None:
        """Take a part's calls one by one, as groups change after the one `at`.

        Those left before are taken already.
        """
        taken = {one.index for one in left if one.index <= at}
        for index, call in enumerate(calls[: at + 1]):
            if index in taken:
                self.grouper.bin(key_of(call)).seen += 1
            else:
                self._tally_all(self.grouper.add(call))
        self._told(at + 1)
        self._tally_all(due())
        for call in calls[at + 1 :]:
            self.add(call)

    def _merge(self, part: Part) -> None:
        for groups in self.grouper.groups_of(part.seen).values():
            for group in groups:
                if group.number in part.kept:
                    group.follow(*part.kept[group.number])
        for number, tally in part.tallies.items():
            self.placed += tally.calls
            own = self.tallies.get(number)
            if own is None:
                own = self.tallies[number] = Tally(tally)
            own.merge(tally)
        self.taken += 1

    def _has_room(self, part: Part) -> bool:
        """Say whether the sketches stay as they are, however the part's calls come in."""
        more = sum(tally.sample.most for tally in part.tallies.values())
        more += sum(2 * len(left.data) + 1_000 for left in part.left)
        held = sum(tally.sample.bytes for tally in self.tallies.values())
        pairs = sum(tally.repeats.size for tally in self.tallies.values()) + len(part.left)
        pairs += sum(tally.repeats.size for tally in part.tallies.values())
        return held + more <= _SAMPLE_BYTES and pairs <= _REPEAT_ENTRIES

    def _told(self, count: int) -> None:
        before, self.calls = self.calls, self.calls + count
        if before // _CHECKED_EVERY != self.calls // _CHECKED_EVERY:
            self._progress("calls", self.calls, 0)

    def _tally_all(self, placed: Iterable[tuple[Call, int]]) -> None:
        for call, number in placed:
            self._tally(call, number)

    def _tally(self, call: Call, number: int) -> None:
        tally = self.tallies.get(number)
        if tally is None:
            tally = self.tallies[number] = Tally(call)
        tally.add(call)
        self.placed += 1
        if self.placed % _CHECKED_EVERY == 0:
            _bound_memory(self.tallies.values())


def _bound_memory(tallies: Iterable[Tally]) -> None:
    """Shrink the largest sketches while all of them together are too large."""
    held = list(tallies)
    while sum(tally.sample.bytes for tally in held) > _SAMPLE_BYTES:
        max(held, key=lambda tally: tally.sample.bytes).sample.halve()
    while sum(tally.repeats.size for tally in held) > _REPEAT_ENTRIES:
        max(held, key=lambda tally: tally.repeats.size).repeats.thin()
