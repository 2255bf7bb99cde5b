"""The inputs that a teacher can be asked, each distinct one once, in bounded memory.

Of millions of calls a sample is held that depends on their texts alone: of the inputs that are kept
apart those that are asked next, of the others a random part.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import structs

from stepdown.core.calls import TEACHERS, Answer, Call, Request
from stepdown.core.datasets import Example
from stepdown.core.labels import Label
from stepdown.core.records import read_answer
from stepdown.core.sources import source_of
from stepdown.core.tasks import Input, Task, input_text
from stepdown.label.clusters import cluster
from stepdown.label.heldout import KEPT_APART, coin
from stepdown.label.sample import input_of
from stepdown.label.similarity import Sketches, normalised
from stepdown.label.split import SIMILARITY

__all__ = ["MOST", "Candidate", "Pool", "pool_of", "request_of"]

MOST = 15_000
"""How many inputs are held of each kind."""

_MOST_PAID = 200_000
_BYTES = 96 * 1024 * 1024

Standing = int
"""0: no teacher has answered the input; 1: another model has; 2: this teacher has, in the log."""


class Candidate(msgspec.Struct, frozen=True):
    """A distinct input: the first call that had it, its coin, and what answers it has.

    `asked` says that it was paid for. `answer` is the paid answer, else the logged one.
    """

    item: str
    given: Input
    coin: float
    standing: Standing
    request: bytes
    time: float | None = None
    asked: bool = False
    answer: Answer | None = None
    source: str = ""


class Pool(msgspec.Struct, frozen=True):
    """What can be asked, and what the answers so far are.

    `apart` are the kept-apart inputs in the order in which they are asked, `open` the others in a
    random order that is always the same, both with those that were asked before. `alike` are kept
    apart too, and like one of `apart` or like a known input; `answered` are those that the teacher
    answered in the log. `size` is how many inputs `apart` and `open` stand for: more than they are
    where not all are held.
    """

    apart: tuple[Candidate, ...]
    open: tuple[Candidate, ...]
    answered: tuple[Candidate, ...]
    size: int
    alike: tuple[Candidate, ...] = ()

    def told(self, asked: Mapping[str, Label | None]) -> "Pool":
        """Return the pool with what has been asked since, and answered."""

        def now(one: Candidate) -> Candidate:
            label = asked.get(one.item)
            answer = label.answer if label and label.outcome == "answered" else None
            return one if one.item not in asked else structs.replace(one, asked=True, answer=answer)

        kinds = (self.apart, self.open, self.alike)
        apart, others, alike = (tuple(map(now, kind)) for kind in kinds)
        return structs.replace(self, apart=apart, open=others, alike=alike)

    def lessons(self, task: Task) -> list[Example]:
        """Return the rows that say what is worth asking: none that is kept apart is among them."""
        shape = task.anatomy.shape
        found = [one for one in (*self.open, *self.answered) if one.coin >= KEPT_APART]
        read = ((one, read_answer(one.answer, shape)) for one in found if one.answer)
        return [Example(one.item, one.given, record) for one, record in read if record is not None]


def pool_of(
    task: Task,
    calls: Iterable[Call],
    model: str,
    asked: Mapping[str, Label | None],
    most: int = MOST,
) -> Pool:
    """Return what there is to ask `model` of the task's calls.

    `asked` has the items that were asked, by call, with their labels where they have one.

    Of equal inputs the first call stands for all, and of kept-apart near-duplicates too: held-out
    parts keep one of them.
    """
    kinds = {name: _Least(most) for name in ("apart", "open", "answered")}
    kinds["paid"] = _Least(_MOST_PAID)
    for call in calls:
        given = input_of(task, call.request)
        # What can't be asked as it was logged, with its pictures, is not asked at all.
        if given is None or any(message.other_parts for message in call.request.messages):
            continue
        one = _candidate(call, given, model, asked)
        kinds[_kind(one)].add(one)
    return _pool(kinds)


def _kind(one: Candidate) -> str:
    if one.asked:
        return "paid"
    if one.standing == 2:
        return "answered"
    return "apart" if one.coin < KEPT_APART else "open"


def _candidate(
    call: Call, given: Input, model: str, asked: Mapping[str, Label | None]
) -> Candidate:
    taught = call.tier in TEACHERS
    own = model in (call.model, call.request.model)
    answer = call.answer if taught else None
    label = asked.get(call.id)
    if label is not None:
        answer = label.answer if label.outcome == "answered" else None
    return Candidate(
        call.id,
        given,
        coin(given),
        (2 if own else 1) if taught else 0,
        msgspec.msgpack.encode(call.request),
        call.time,
        call.id in asked,
        answer,
        source_of(call),
    )


def _older(one: Candidate) -> tuple[float, str]:
    return (math.inf if one.time is None else one.time, one.item)


class _Least:
    """The candidates with the smallest coins, each input once: by its first call."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[float] = []
        self._bytes = 0
        self.kept: dict[float, Candidate] = {}
        self.full = False

    def add(self, one: Candidate) -> None:
        """Take the candidate in, unless those that are held come before it."""
        held = self.kept.get(one.coin)
        if held is None:
            if self.full and one.coin > -self._heap[0]:
                return
            heapq.heappush(self._heap, -one.coin)
        else:
            # The first call stands for the input, with the best of the answers.
            self._bytes -= len(held.request)
            best = max(held, one, key=lambda each: (each.standing, each.answer is not None))
            first = min(held, one, key=_older)
            one = structs.replace(first, standing=best.standing, answer=best.answer)
        self.kept[one.coin] = one
        self._bytes += len(one.request)
        while len(self.kept) > 1 and (len(self.kept) > self._most or self._bytes > _BYTES):
            self._bytes -= len(self.kept.pop(-heapq.heappop(self._heap)).request)
            self.full = True

    @property
    def reach(self) -> float:
        """Return the coin up to which all inputs are held."""
        return -self._heap[0] if self.full else 1.0


def _pool(kinds: Mapping[str, _Least]) -> Pool:
    answered, paid = kinds["answered"].kept, kinds["paid"].kept
    # Equal inputs have one coin: what was paid for has the answer that counts.
    known = {**answered, **paid}
    rest = {**kinds["apart"].kept, **kinds["open"].kept}
    fresh = sorted((one for toss, one in rest.items() if toss not in known), key=_older)
    apart = [one for one in fresh if one.coin < KEPT_APART]
    first = _distinct([*known.values(), *apart], len(known))
    asked = [one for one in known.values() if one.asked]
    ours = [one for one in (*asked, *apart) if one.coin < KEPT_APART and one.coin in first]
    others = [one for one in (*asked, *fresh) if one.coin >= KEPT_APART]
    size = _size(len(ours), kinds["apart"].reach, 0.0, KEPT_APART)
    size += _size(len(others), kinds["open"].reach, KEPT_APART, 1.0)
    return Pool(
        _ordered(ours),
        _ordered(others),
        tuple(one for one in known.values() if not one.asked),
        size,
        _ordered([one for one in apart if one.coin not in first]),
    )


def _ordered(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda one: one.coin))


def _size(held: int, reach: float, low: float, high: float) -> int:
    """Return how many coins lie between `low` and `high`, of which those up to `reach` are held."""
    return held if reach >= high else round(held * (high - low) / max(reach - low, 1e-12))


def _distinct(candidates: Sequence[Candidate], known: int) -> set[float]:
    """Return the coins of one candidate a cluster of near-duplicates, and of the first `known`.

    Where inputs share one long frame, near has to mean nearer, as in the split.
    """
    sketches = Sketches([normalised(input_text(one.given)) for one in candidates])
    belongs = list(range(len(candidates)))
    for level in SIMILARITY[:-1]:
        found = cluster(sketches, level)
        if 2 * len(set(found)) >= len(candidates):
            belongs = found
            break
    return {one.coin for at, one in enumerate(candidates) if at < known or belongs[at] == at}


def request_of(one: Candidate) -> Request:
    """Return the request of the call that stands for the input."""
    return msgspec.msgpack.decode(one.request, type=Request)
