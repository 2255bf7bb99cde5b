"""The likeliest of some texts by best-first search: only branches that can win are weighed.

A node's log-probability bounds that of every text below it, so the first whole text that comes off
the heap is the likeliest, and the heap's rest bounds what was not weighed.
"""

import heapq
import math
from collections.abc import Callable, Iterable, Sequence

import msgspec

__all__ = ["Node", "Ranked", "best_first"]

_MOST_STEPS = 64
_FLOOR = 1e-12


class Node(msgspec.Struct, frozen=True):
    """Texts (by index) that begin with `prefix`, whose log-probability is `log_p`.

    `whole` says that the prefix is the one text itself, with its end.
    """

    prefix: tuple[int, ...] | str
    members: tuple[int, ...]
    log_p: float = 0.0
    whole: bool = False


class Ranked(msgspec.Struct, frozen=True):
    """The likeliest text's index, its share of what all texts have, and its log-ratio to the next.

    `log_p` is its log-probability among everything that the model could write.
    """

    index: int
    share: float
    log_ratio: float
    log_p: float


def best_first(count: int, expand: Callable[[Node], Iterable[Node]], start: Node) -> Ranked | None:
    """Return the likeliest of `count` texts; None where the model gives none of them a chance."""
    heap: list[tuple[float, int, Node]] = [(0.0, 0, start)]
    found: list[Node] = []
    made = steps = 0
    while heap and len(found) < min(2, count) and steps < _MOST_STEPS:
        node = heapq.heappop(heap)[2]
        if node.whole:
            found.append(node)
            continue
        steps += 1
        for child in expand(node):
            made += 1
            heapq.heappush(heap, (-child.log_p, made, child))
    if not found:
        return None
    rest = sum(math.exp(-cost) for cost, _, _ in heap)
    return _ranked(found, rest)


def _ranked(found: Sequence[Node], rest: float) -> Ranked:
    chances = [math.exp(node.log_p) for node in found]
    best = max(chances[0], _FLOOR)
    second = max([*chances[1:], rest if len(found) == 1 else 0.0, _FLOOR])
    share = best / (sum(chances[1:]) + best + rest)
    return Ranked(found[0].members[0], share, math.log(best / second), found[0].log_p)
