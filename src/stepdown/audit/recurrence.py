"""What recurs among texts that fit no template: the sign of a rare task, in constant memory."""

from zlib import crc32

from stepdown.audit.mining import Texts

__all__ = ["Recurrence"]

_SLOTS = 1 << 22  # for millions of texts, few share a slot by chance
_EDGE = 60  # characters at the edges of a message that free texts do not share
_SYSTEM = 30  # and of a system prompt
_AGAIN = 10  # times that an edge came before it counts as recurring
_DULL = 255  # an edge that was mined for nothing
_DIGITS = str.maketrans("123456789", "000000000")


class Recurrence:
    """Counts how often texts began or ended alike, whatever the numbers in them.

    The counts are those of a one-row count-min sketch (Cormode and Muthukrishnan 2005, §3): never
    too low, seldom too high.
    """

    def __init__(self) -> None:
        self._counts = bytearray(_SLOTS)

    def recurs(self, said: Texts) -> bool:
        """Count a request's edges, and say whether one of them came often before."""
        found = False
        for slot in _slots(said):
            count = self._counts[slot]
            if count < _AGAIN:
                self._counts[slot] = count + 1
            found = found or count == _AGAIN
        return found

    def forget(self, said: Texts) -> None:
        """Let the edges of a request, mined for nothing, never count as recurring again."""
        for slot in _slots(said):
            self._counts[slot] = _DULL


def _slots(said: Texts) -> list[int]:
    system, _, user = said
    edges = [system[:_SYSTEM]] if len(system) > _SYSTEM else []
    if len(user) > _EDGE:
        edges += [user[:_EDGE], user[-_EDGE:]]
    return [crc32(edge.translate(_DIGITS).encode("utf-8", "replace")) % _SLOTS for edge in edges]
