"""What is asked of a teacher: a random part kept apart, and the inputs that teach most.

Nothing here is left to chance: coins are hashes of the inputs, so the same log and labels give the
same questions. docs/choosing.md says what was measured.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.datasets import Example
from stepdown.core.labels import Pick, Why
from stepdown.core.tasks import Input, Task, input_text
from stepdown.label.need import Need
from stepdown.label.pool import Candidate, Pool, request_of
from stepdown.label.vectors import Vectors, vectors_of

__all__ = ["FIRST_ROUND", "Choice", "Guess", "Scorer", "Teach", "choose", "round_size"]

_LEAST_RANDOM, _MOST_RANDOM = 0.1, 0.6
_SHARES: tuple[tuple[Why, float], ...] = (("rare", 0.1), ("novel", 0.1), ("uncertain", 0.8))
_BATCH_TIMES = 4
_REFERENCE_ROWS = 2_000
_NEAREST = 5
_DENSITY_POWER = 0.5
_OLD_SHARE = 0.8
FIRST_ROUND = 300
"""How many inputs are chosen before anything is known of them."""

_GROWTH = 0.5


class Guess(msgspec.Struct, frozen=True):
    """What a student makes of an input: its label (or tool), "" for none, and how sure it is."""

    label: str
    confidence: float


Scorer = Callable[[Sequence[Input]], Sequence[Guess]]
"""score(inputs) → a guess for each."""

Teach = Callable[[Sequence[Example]], Scorer | None]
"""teach(rows) → what a student of these rows guesses; None where they are too few to learn from."""


class Choice(msgspec.Struct, frozen=True):
    """What is asked, the random part first; `random` and `again` count two kinds of it."""

    picks: tuple[Pick, ...]
    random: int
    again: int


class _Field(msgspec.Struct, frozen=True):
    """The inputs to choose from: their vectors, and how usual and how new each of them is."""

    vectors: Vectors
    density: NDArray[np.float64]
    novelty: NDArray[np.float64]


def round_size(answers: int) -> int:
    """Return how many inputs are chosen before the answers are learnt from again."""
    return max(FIRST_ROUND, round(_GROWTH * answers))


def choose(
    task: Task,
    pool: Pool,
    count: int,
    need: Need,
    teach: Teach,
    *,
    again: bool = False,
) -> Choice:
    """Return `count` questions, fewer where there is not so much to ask.

    The random part is what `need` says, between a tenth and six tenths. The others are uncertain,
    novel or rare, unlike each other, and from before the youngest fifth of the pool; where one kind
    of input runs out, the other stands in. Of a pool that is too small to certify with its
    kept-apart part all are asked at random. `again` also asks what the teacher answered in the log.
    """
    apart = [one for one in pool.apart if not one.asked]
    fresh = [one for one in pool.open if not one.asked]
    if need.have + need.gained(len(apart)) < need.rows and _in_order(pool.open):
        # Too few to choose from: what is chosen could not certify. So all goes on by the coins.
        apart, fresh = [*apart, *fresh], []
    part = min(max(need.random, math.ceil(_LEAST_RANDOM * count)), round(_MOST_RANDOM * count))
    part = min(len(apart), max(part, count - len(fresh)))
    rest = min(count - part, len(fresh))
    picks = _random(pool, apart[:part])
    picks += _chosen(task, pool, fresh, rest, teach) if rest else []
    # What is kept apart and like another such input adds least: it is asked when all else is.
    alike = [one for one in pool.alike if not one.asked][: count - len(picks)]
    picks += [_pick(one, "random", 1.0) for one in alike]
    left = pool.answered[: count - len(picks)] if again else ()
    picks += [_pick(one, "again") for one in left]
    return Choice(tuple(picks), part + len(alike), len(left))


def _in_order(candidates: Sequence[Candidate]) -> bool:
    """Say whether those that were asked are the first by their coins: nothing was chosen yet."""
    asked = [one.asked for one in candidates]
    return asked == sorted(asked, reverse=True)


def _pick(one: Candidate, why: Why, probability: float | None = None) -> Pick:
    return Pick(one.item, request_of(one), why, probability, one.source)


def _random(pool: Pool, part: Sequence[Candidate]) -> list[Pick]:
    """Return the next of the kept-apart inputs, each with the probability of all asked so far."""
    if not part:
        return []
    asked = sum(one.coin <= part[-1].coin for one in (*pool.apart, *pool.open))
    return [_pick(one, "random", asked / max(pool.size, asked)) for one in part]


def _chosen(
    task: Task, pool: Pool, fresh: Sequence[Candidate], count: int, teach: Teach
) -> list[Pick]:
    if count == len(fresh):
        # All are asked: there is nothing to choose, and nobody has to learn for it.
        return [_pick(one, "novel") for one in fresh]
    candidates = _eligible(fresh, count)
    lessons = pool.lessons(task)
    texts = [input_text(one.given) for one in candidates]
    told = [input_text(example.input) for example in lessons]
    vectors = vectors_of([*texts, *told])
    field = _field(vectors[: len(texts)], vectors[len(texts) :])
    score = teach(lessons)
    if score is None:
        return [_pick(candidates[at], "novel") for at in _spread(field, count)]
    guesses = score([one.given for one in candidates])
    reasons = _reasons(field, guesses, _classes(task, lessons))
    return [_pick(candidates[at], why) for at, why in _mixed(field.vectors, reasons, count)]


def _eligible(fresh: Sequence[Candidate], count: int) -> list[Candidate]:
    """Return what can be chosen: what no teacher answered first, and not the youngest."""
    first = [one for one in fresh if one.standing == 0]
    found = first if len(first) >= count else list(fresh)
    times = sorted(one.time for one in found if one.time is not None)
    if len(times) < len(found):
        return found
    limit = times[min(int(_OLD_SHARE * len(times)), len(times) - 1)]
    old = [one for one in found if (one.time or 0.0) <= limit]
    return old if len(old) >= count else found


def _classes(task: Task, lessons: Sequence[Example]) -> Counter[str]:
    """Return how many answers each label has, or tool; none where answers are of another kind."""
    path = "/tool" if task.anatomy.shape == "tool" else ""
    return Counter(str(value) for row in lessons if (value := row.record.get(path)) is not None)


def _field(vectors: Vectors, told: Vectors) -> _Field:
    """Measure the inputs by what is nearest among a part of the pool, and among those answered."""
    reference = vectors[:_REFERENCE_ROWS]
    density, novelty = np.zeros(len(vectors)), np.ones(len(vectors))
    # In blocks: the table of all pairs would be larger than all the inputs.
    for start in range(0, len(vectors), _REFERENCE_ROWS):
        block = slice(start, start + _REFERENCE_ROWS)
        near = vectors[block] @ reference.T
        near[near > 1 - 1e-6] = 0.0
        most = min(_NEAREST, near.shape[1])
        density[block] = np.clip(np.partition(near, -most, axis=1)[:, -most:].mean(axis=1), 0, None)
        if len(told):
            novelty[block] = 1.0 - np.clip((vectors[block] @ told.T).max(axis=1), 0, 1)
    return _Field(vectors, density**_DENSITY_POWER, novelty)


def _spread(field: _Field, count: int) -> list[int]:
    """Return inputs that stand for all: the most usual ones that are unlike each other."""
    return _greedy(
        field.vectors, field.density * field.novelty, count, np.zeros(len(field.density))
    )


def _reasons(
    field: _Field, guesses: Sequence[Guess], classes: Counter[str]
) -> dict[Why, NDArray[np.float64]]:
    """Return how much each input is worth asking, by each of the reasons."""
    doubt = np.array([1.0 - guess.confidence for guess in guesses])
    usual = max(classes.total() / max(len(classes), 1), 1.0)
    rare = np.array([usual / (usual + classes[guess.label]) for guess in guesses])
    rare[[not guess.label or not classes for guess in guesses]] = 0.0
    return {
        "uncertain": doubt * field.density,
        "novel": field.novelty * field.density,
        "rare": rare * doubt * field.density,
    }


def _mixed(
    vectors: Vectors, reasons: Mapping[Why, NDArray[np.float64]], count: int
) -> list[tuple[int, Why]]:
    """Return each reason's share of the batch, unlike what is in it already."""
    found: list[tuple[int, Why]] = []
    near = np.zeros(len(vectors))
    for why, share in _SHARES:
        wanted = count - len(found) if why == "uncertain" else round(share * count)
        worth = reasons[why].copy()
        if not wanted or (why == "rare" and not worth.any()):
            continue
        taken = [at for at, _ in found]
        worth[taken] = -1.0
        new = _greedy(vectors, worth, wanted, near)
        found.extend((at, why) for at in new)
        if why != "uncertain":
            alike = (vectors @ vectors[new].T).max(axis=1)
            near = np.maximum(near, np.clip(alike, 0, 1))
    return found


def _greedy(
    vectors: Vectors, worth: NDArray[np.float64], count: int, near: NDArray[np.float64]
) -> list[int]:
    """Return the inputs of most worth, each less the more it is like one that was taken.

    `near` is how like what was taken before each input is. Only the best few times `count` are
    looked at.
    """
    order = np.argsort(-worth, kind="stable")[: _BATCH_TIMES * count]
    order = order[worth[order] >= 0.0]
    few, value, alike = vectors[order], worth[order], near[order]
    taken: list[int] = []
    for _ in range(min(count, len(order))):
        best = int((value * (1.0 - alike)).argmax())
        value[best] = -np.inf
        taken.append(int(order[best]))
        np.maximum(alike, np.clip(few @ few[best], 0.0, 1.0 - 1e-6), out=alike)
    return taken
