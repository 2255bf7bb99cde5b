"""How many inputs stood in the log before, and how often the teacher then answered alike.

All calls of an input are followed, or none of them: inputs are kept by their hash, and when there
are too many, those with an odd bit in the hash go (distinct sampling: Gibbons, "Distinct sampling
for highly-accurate answers to distinct values queries", VLDB 2001, §3). Exact until then, unbiased
after; independent of order, and mergeable.
"""

import math

__all__ = ["Repeats"]

_ENTRIES = 40_000
_ALL = 2**64 - 1


class Repeats:
    """Counts of (input, answer) hashes; at most `limit` pairs are held.

    `size` is how many are held now; inputs with a bit of `mask` in their hash are not followed.
    """

    def __init__(self, limit: int = _ENTRIES, mask: int = 0) -> None:
        self.size = 0
        self.mask = mask
        self._limit = limit
        # Most inputs are seen once: they have just their answer's hash, for a dict costs 200 bytes.
        self._answers: dict[int, int | dict[int, int]] = {}

    def follows(self, given: int) -> bool:
        """Say whether the input of that hash is among those followed."""
        return not given & self.mask

    def add(self, given: int, answer: int, count: int = 1) -> None:
        """Count `count` calls with these input and answer hashes."""
        if given & self.mask:
            return
        seen = self._answers.get(given)
        if seen is None:
            self._answers[given] = answer if count == 1 else {answer: count}
            self.size += 1
        else:
            if isinstance(seen, int):
                seen = self._answers[given] = {seen: 1}
            self.size += answer not in seen
            seen[answer] = seen.get(answer, 0) + count
        while self.size > self._limit and self.mask < _ALL:
            self.thin()

    def thin(self) -> None:
        """Follow about half as many inputs from here on."""
        self.mask = 2 * self.mask + 1
        kept = {given: seen for given, seen in self._answers.items() if not given & self.mask}
        self._answers = kept
        self.size = sum(1 if isinstance(seen, int) else len(seen) for seen in kept.values())

    def merge(self, other: "Repeats") -> None:
        """Make this the counts of both."""
        while self.mask < other.mask:
            self.thin()
        for given, seen in other._answers.items():
            counts = {seen: 1} if isinstance(seen, int) else seen
            for answer, count in counts.items():
                self.add(given, answer, count)

    def share(self) -> float:
        """Return the share of calls whose input was seen before, in [0, 1]."""
        calls = sum(1 if isinstance(s, int) else sum(s.values()) for s in self._answers.values())
        return (calls - len(self._answers)) / calls if calls else 0.0

    def self_agreement(self) -> tuple[float | None, int]:
        """Return how often two answers to one input agree, and how many repeats that rests on.

        Each repeated input weighs as much as it has repeats, and counts all pairs of its answers.
        (None, 0) without repeats.
        """
        agreed: list[float] = []
        repeats = 0
        for seen in self._answers.values():
            if isinstance(seen, int):
                continue
            count = sum(seen.values())
            agreed.append(sum(same * (same - 1) for same in seen.values()) / count)
            repeats += count - 1
        # Summed exactly: the figure does not depend on the order of the log.
        return (math.fsum(agreed) / repeats, repeats) if repeats else (None, 0)
