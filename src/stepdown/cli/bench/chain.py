"""Banking77 by the climb's first rungs and their chain: who answers how much, and does it hold."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stepdown import plugins
from stepdown.cli.bench import students as on
from stepdown.cli.bench.classification import CALIBRATION_ROWS, DRAWS, SPLITS
from stepdown.cli.bench.figures import Figure
from stepdown.core.datasets import Example
from stepdown.core.ports import Progress, Student
from stepdown.core.stats import cp_interval, fixed_sequence
from stepdown.core.tasks import Task
from stepdown.errors import PluginError, Unavailable
from stepdown.students.chain import Chain, join, rehearsed_of
from stepdown.train import confidence_shares, estimate

__all__ = ["chain"]

FAMILIES = ("linear", "encoder", "encoder-tuned")


def chain(data: Path, progress: Progress) -> Sequence[Figure]:
    """Train each rung on Banking77 without 2,000 rows that certify, join them, take the best.

    As in `stepdown train`, all candidates are certified on the same rows and share the confidence;
    the one that answers most calibration rows is taken, and the test split is opened for it.
    """
    rows = on.labels(data, "banking77")
    train = [row for row in rows if row.split == "train"]
    task = on.task_of("banking77", train)
    test = on.examples_of(task, [row for row in rows if row.split == "test"])
    rest, aside = on.split_off(on.examples_of(task, train), CALIBRATION_ROWS)
    candidates = _candidates(task, rest, progress)
    judged = {name: on.judge(student, aside) for name, student in candidates.items()}
    worth = [estimate(rehearsed_of(one), rest, on.BUDGET) for one in candidates.values()]
    shares = confidence_shares([found.coverage if found else 0.0 for found in worth])
    deltas = {name: on.DELTA * share for name, share in zip(candidates, shares, strict=True)}
    thresholds = {
        name: fixed_sequence(found.scores, found.wrong, on.BUDGET, deltas[name])
        for name, found in judged.items()
    }
    covered = {
        name: float((judged[name].scores >= threshold).mean()) if threshold is not None else 0.0
        for name, threshold in thresholds.items()
    }
    taken = max(covered, key=lambda name: covered[name])
    seen = on.judge(candidates[taken], test)
    return [
        *_answered(taken, thresholds[taken], seen, covered),
        _violations(judged[taken], seen, deltas[taken]),
    ]


def _candidates(task: Task, rows: Sequence[Example], progress: Progress) -> dict[str, Student]:
    """Return the rungs that can be trained here, the chain of all, and that of both ends."""
    rungs: dict[str, Student] = {}
    for name in FAMILIES:
        try:
            rungs[name] = plugins.family(name).train(task, rows, progress)
        except (PluginError, Unavailable) as error:
            progress(f"{name} is left out: {error}", 1, 1)
    candidates = dict(rungs)
    names = list(rungs)
    for chosen in dict.fromkeys([tuple(names), (names[0], names[-1])]):
        whole = join([rungs[name] for name in chosen], rows, on.BUDGET)
        if isinstance(whole, Chain):
            candidates[" → ".join(chosen)] = whole
    return candidates


def _answered(
    taken: str, threshold: float | None, seen: on.Judged, covered: dict[str, float]
) -> list[Figure]:
    floor = float("inf") if threshold is None else threshold
    answered = seen.scores >= floor
    share, wrong = float(answered.mean()), int((answered & seen.wrong).sum())
    low, high = cp_interval(wrong, len(answered), 0.95)
    shares = ", ".join(f"{name} {found:.1%}" for name, found in covered.items())
    return [
        Figure(
            "answered on test, best of the ladder, joint 2 %, %",
            f"{share:.1%}",
            share * 100,
            88,
            note=f"taken: {taken}; answered on calibration rows, confidence shared: {shares}",
        ),
        Figure(
            "answered differently, of all test calls, %",
            f"{wrong / len(answered):.2%}",
            100 * wrong / len(answered),
            spread=f"95 %: {low:.2%} to {high:.2%}",
        ),
        Figure(
            "agreement of the one taken, test, %",
            f"{on.accuracy(seen):.2%}",
            100 * on.accuracy(seen),
        ),
    ]


def _violations(calibration: on.Judged, seen: on.Judged, delta: float) -> Figure:
    """Count over fresh splits how often the certificate of the one taken breaks its promise."""
    pool = on.Judged(
        np.concatenate([calibration.scores, seen.scores]),
        np.concatenate([calibration.wrong, seen.wrong]),
    )
    first, _ = on.violations(pool, CALIBRATION_ROWS, SPLITS)
    broken, _ = on.violations(pool, CALIBRATION_ROWS, DRAWS)
    low, high = cp_interval(broken, DRAWS, 0.95)
    return Figure(
        f"violations per 100 fresh splits at the whole confidence, mean over {DRAWS:,}",
        f"{100 * broken / DRAWS:.1f}",
        100 * broken / DRAWS,
        5,
        True,
        spread=f"95 %: {100 * low:.1f} to {100 * high:.1f}; the first {SPLITS}: {first}",
        note=f"certified here at {1 - on.DELTA:.0%}; in the ladder at {1 - delta:.2%}",
    )
