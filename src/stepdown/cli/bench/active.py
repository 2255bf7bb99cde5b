"""Banking77's labels, chosen or drawn at random: how many it takes to reach 90 %."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from stepdown.cli.bench import students as on
from stepdown.cli.bench.figures import Figure
from stepdown.core.calls import Answer, Message, Request
from stepdown.core.datasets import Example
from stepdown.core.ports import Progress, Student, silent
from stepdown.core.tasks import Task
from stepdown.label.choose import Guess, Scorer, choose, round_size
from stepdown.label.heldout import KEPT_APART
from stepdown.label.need import Need
from stepdown.label.pool import Candidate, Pool

__all__ = ["active"]

_SEEDS = 3
_GOAL = 0.9
_CHOSEN, _RANDOM = 4600, 7000
_NOTHING = Need(0, 0, 0, 0, 0)


class _Learner:
    """The linear family on an oracle's labels: what it guesses, and how often it is right."""

    def __init__(self, task: Task, rows: Sequence[Example], test: Sequence[Example]) -> None:
        self.task = task
        self._rows = {row.id: row for row in rows}
        self._test = test
        self._student: Student | None = None

    def learn(self, items: Sequence[str]) -> float:
        """Train on these rows; return the accuracy on the test rows."""
        rows = [self._rows[item] for item in items]
        self._student, _ = on.trained(self.task, rows)
        return on.accuracy(on.judge(self._student, self._test))

    def teach(self, rows: Sequence[Example]) -> Scorer | None:
        """Return what the student guesses that has learnt these rows: they are the last ones."""
        student = self._student
        if not rows or student is None:
            return None
        predicted = student.predict

        def score(inputs: Sequence[Any]) -> list[Guess]:
            found = [predicted(given) for given in inputs]
            return [Guess(str(one.record.get("")), one.confidence) for one in found]

        return score


def active(data: Path, progress: Progress) -> Sequence[Figure]:
    """Label the training split little by little, as `stepdown label` does and at random."""
    rows = on.labels(data, "banking77")
    task = on.task_of("banking77", [row for row in rows if row.split == "train"])
    train, test = (
        on.examples_of(task, [row for row in rows if row.split == part])
        for part in ("train", "test")
    )
    return figures(task, train, test, progress)


def figures(
    task: Task,
    train: Sequence[Example],
    test: Sequence[Example],
    progress: Progress = silent,
    ends: tuple[int, int] = (_CHOSEN, _RANDOM),
) -> list[Figure]:
    """Return both curves as figures, each the mean over the seeds."""
    sizes = _sizes(ends[1])
    fewer = [size for size in sizes if size <= ends[0]]
    curves: dict[bool, list[list[float]]] = {True: [], False: []}
    for seed in range(_SEEDS):
        for chosen in (True, False):
            progress("labelling", 2 * seed + (not chosen), 2 * _SEEDS)
            learner = _Learner(task, train, test)
            curves[chosen].append(_curve(learner, train, seed, fewer if chosen else sizes, chosen))
    wise, blind = (np.array(curves[chosen]) for chosen in (True, False))
    reached = [_reached(fewer, row) for row in wise], [_reached(sizes, row) for row in blind]
    return [*_totals(reached), *_points(sizes, wise, blind)]


def _sizes(most: int) -> list[int]:
    sizes = [round_size(0)]
    while sizes[-1] < most:
        sizes.append(min(sizes[-1] + round_size(sizes[-1]), most))
    return sizes


def _curve(
    learner: _Learner, train: Sequence[Example], seed: int, sizes: Sequence[int], chosen: bool
) -> list[float]:
    order: list[int] = np.random.default_rng(seed).permutation(len(train)).tolist()
    shuffled = [train[at] for at in order]
    taken: dict[str, None] = {}
    found: list[float] = []
    for size in sizes:
        if chosen:
            pool = _pool(shuffled, taken)
            count = size - len(taken)
            picks = choose(learner.task, pool, count, _NOTHING, learner.teach).picks
            taken |= dict.fromkeys(pick.item for pick in picks)
        else:
            taken = dict.fromkeys(row.id for row in shuffled[:size])
        found.append(learner.learn(list(taken)))
    return found


def _pool(rows: Sequence[Example], taken: dict[str, None]) -> Pool:
    """Return the rows as inputs that no teacher has answered, but for those taken."""
    request = msgspec.msgpack.encode(Request("m", (Message("user", ""),)))
    step = (1.0 - KEPT_APART) / len(rows)
    found = [
        Candidate(
            row.id,
            row.input,
            KEPT_APART + at * step,
            0,
            request,
            asked=row.id in taken,
            answer=Answer(text=str(row.record[""])) if row.id in taken else None,
        )
        for at, row in enumerate(rows)
    ]
    return Pool((), tuple(found), (), len(found))


def _reached(sizes: Sequence[int], curve: Sequence[float]) -> float:
    """Return at how many labels the line through the points first reaches the goal; inf: never."""
    if curve[0] >= _GOAL:
        return float(sizes[0])
    for at in range(1, len(curve)):
        low, high = float(curve[at - 1]), float(curve[at])
        if high >= _GOAL > low:
            return sizes[at - 1] + (sizes[at] - sizes[at - 1]) * (_GOAL - low) / (high - low)
    return float("inf")


def _totals(reached: tuple[list[float], list[float]]) -> list[Figure]:
    wise, blind = (float(np.mean(part)) for part in reached)
    fewer = 100 * (1 - wise / blind) if np.isfinite([wise, blind]).all() else 0.0
    spread = [", ".join(f"{value:,.0f}" for value in part) for part in reached]
    return [
        Figure("labels to reach 90 %, chosen", f"{wise:,.0f}", wise, spread=spread[0]),
        Figure("labels to reach 90 %, at random", f"{blind:,.0f}", blind, spread=spread[1]),
        Figure(
            "fewer, %",
            f"{fewer:.0f}",
            fewer,
            20,
            note=f"mean of {_SEEDS} seeds; rows to certify with are drawn at random either way, "
            "and not counted",
        ),
    ]


def _points(sizes: Sequence[int], wise: Any, blind: Any) -> list[Figure]:
    found: list[Figure] = []
    for at, size in enumerate(sizes):
        random = f"at random {blind[:, at].mean():.1%}"
        if at < wise.shape[1]:
            share = float(wise[:, at].mean())
            low, high = wise[:, at].min(), wise[:, at].max()
            spread = f"{low:.1%} to {high:.1%}"
            name = f"test accuracy at {size:,} labels, chosen, %"
            found.append(Figure(name, f"{share:.1%}", 100 * share, spread=spread, note=random))
        else:
            share = float(blind[:, at].mean())
            name = f"test accuracy at {size:,} labels, at random, %"
            found.append(Figure(name, f"{share:.1%}", 100 * share))
    return found
