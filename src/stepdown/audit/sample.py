"""A bounded sample of a task's calls: the same ones in whatever order the log is read.

Each call gets a random-looking key from its content, and those with the smallest keys are kept
(bottom-k sampling: Cohen & Kaplan, "Summarizing data using bottom-k sketches", PODC 2007, §2). The
sample is uniform without replacement, and two of them merge into that of the union.
"""

import heapq
from collections.abc import Iterator

import msgspec

from stepdown.core.calls import Answer

__all__ = ["Sample", "Sampled", "Texts"]

Texts = tuple[str, str, str]
"""The (system, history, user) texts of a request."""

_OVERHEAD = 400  # bytes of the objects around the texts of one sampled call


class Sampled(msgspec.Struct, frozen=True):
    """One call of the sample: what was asked, and what was answered."""

    texts: Texts
    answer: Answer


class Sample:
    """At most `limit` calls and `limit_bytes` bytes of text: those with the smallest keys.

    A key that was once too large stays too large, which makes the result independent of order:
    `ceiling` is the least of those.
    """

    def __init__(self, limit: int, limit_bytes: int, ceiling: int = 2**64) -> None:
        self.bytes = 0
        self.ceiling = ceiling
        self._limit = limit
        self._limit_bytes = limit_bytes
        # (-key, place): the heap's first has the largest key; places keep Structs uncompared.
        self._heap: list[tuple[int, int, Sampled]] = []
        self._added = 0
        self._dropped = False

    @property
    def most(self) -> int:
        """How many bytes were ever held, at most."""
        return self._limit_bytes if self._dropped else self.bytes

    def __len__(self) -> int:
        return len(self._heap)

    def wants(self, key: int) -> bool:
        """Say whether a call of this key would be kept; the cheap test before `add`."""
        return key < self.ceiling

    def add(self, key: int, call: Sampled) -> None:
        """Keep the call if its key is small enough, and drop what no longer fits."""
        if key >= self.ceiling:
            return
        self._added += 1
        heapq.heappush(self._heap, (-key, self._added, call))
        self.bytes += _size(call)
        while len(self._heap) > self._limit or self.bytes > self._limit_bytes:
            self._drop()

    def halve(self) -> None:
        """Drop the half with the larger keys, for the sake of the whole audit's memory."""
        for _ in range((len(self._heap) + 1) // 2):
            self._drop()

    def merge(self, other: "Sample") -> None:
        """Make this the sample of both."""
        while self._heap and -self._heap[0][0] >= other.ceiling:
            self._drop()
        self.ceiling = min(self.ceiling, other.ceiling)
        for negated, _, call in other._heap:
            self.add(-negated, call)

    def calls(self) -> Iterator[Sampled]:
        """Yield the sampled calls, smallest key first."""
        return (call for _, _, call in sorted(self._heap, key=lambda entry: (-entry[0], entry[1])))

    def _drop(self) -> None:
        negated, _, call = heapq.heappop(self._heap)
        self.ceiling = -negated
        self._dropped = True
        self.bytes -= _size(call)


def _size(call: Sampled) -> int:
    answer = call.answer
    written = [answer.text or "", *(tool_call.arguments for tool_call in answer.tool_calls)]
    # By the text alone: what the interpreter holds for it differs from process to process.
    return _OVERHEAD + sum(len(t) if t.isascii() else 2 * len(t) for t in (*call.texts, *written))
