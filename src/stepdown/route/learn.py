"""From comparisons to a score, with what it is worth: judged only by rows that it has not seen."""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from stepdown.core.display import share
from stepdown.core.ports import Progress, silent
from stepdown.core.tiering import TaskType, task_type_of
from stepdown.errors import NotEnoughData
from stepdown.route.features import SHAPE, Vectors, text_of
from stepdown.route.fit import (
    calibrate,
    calibrated_apart,
    folds_of,
    logistic_path,
    scored_apart,
)
from stepdown.route.quality import (
    LEAST_ROWS,
    auroc,
    auroc_interval,
    brier,
    calibration_error,
)
from stepdown.route.report import Report
from stepdown.route.rows import MOST_ROWS, Compared
from stepdown.route.score import Score, inputs_of

__all__ = ["Learned", "check_rows", "learn", "matrix_of"]

_EVERY = 500
Name = TypeVar("Name", bound=str)


class Learned(msgspec.Struct, frozen=True):
    """A score, its report, and each row's type and out-of-fold probability."""

    score: Score
    report: Report
    types: tuple[TaskType, ...]
    probabilities: tuple[float, ...]


def check_rows(hard: Sequence[bool]) -> None:
    """Check that there are enough rows of either kind.

    Raises:
        NotEnoughData: there are not; it says how many are missing.
    """
    missing = [
        f"{LEAST_ROWS - count} more {kind}"
        for kind, count in (("hard", sum(hard)), ("easy", len(hard) - sum(hard)))
        if count < LEAST_ROWS
    ]
    if missing:
        raise NotEnoughData(
            f"A complexity score needs {LEAST_ROWS} hard and {LEAST_ROWS} easy comparisons and "
            f"there are {sum(hard)} and {len(hard) - sum(hard)}: {' and '.join(missing)} are "
            "missing; serve longer with comparisons on, or give comparison files."
        )


def matrix_of(
    rows: Sequence[Compared], vectors: Vectors | None, progress: Progress = silent
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Return the features [rows, features] with the shape standardised, its means and scales."""
    features: list[NDArray[np.float32]] = []
    for at, row in enumerate(rows):
        if at % _EVERY == 0:
            progress("features", at, len(rows))
        features.append(inputs_of(row.request, vectors))
    matrix = np.array(features, np.float32)
    shape = matrix[:, : len(SHAPE)]
    means, scales = shape.mean(axis=0), shape.std(axis=0)
    # What never varies says nothing; in a request where it does, it must not say much.
    scales[scales < 1e-4] = 1.0
    matrix[:, : len(SHAPE)] = (shape - means) / scales
    return matrix, means, scales


def learn(
    rows: Sequence[Compared], vectors: Vectors | None = None, progress: Progress = silent
) -> Learned:
    """Fit, calibrate and judge a score on the newest comparisons.

    Raises:
        NotEnoughData: there are too few of one kind.
    """
    rows = rows[-MOST_ROWS:]
    check_rows([row.hard for row in rows])
    matrix, means, scales = matrix_of(rows, vectors, progress)
    hard = np.array([row.hard for row in rows], float)
    folds = folds_of([text_of(row.request) for row in rows])
    progress("fitting", 0, 0)
    # On a busy machine the threads of so small products wait for one another.
    with threadpool_limits(1):
        raw, penalty = scored_apart(matrix, hard, folds)
        weights = logistic_path(matrix, hard, (penalty,))[0].astype(np.float32)
    apart = calibrated_apart(raw, hard, folds)
    score = Score(weights, (means, scales), calibrate(raw, hard, folds), vectors)
    types: tuple[TaskType, ...] = tuple(task_type_of(row.request) for row in rows)
    report = _report(rows, types, apart, score.calibration.kind)
    return Learned(score, report, types, tuple(apart.tolist()))


def _report(
    rows: Sequence[Compared],
    types: Sequence[TaskType],
    apart: NDArray[np.float64],
    calibration: str,
) -> Report:
    hard = np.array([row.hard for row in rows], float)
    area, (low, high) = auroc(apart, hard), auroc_interval(apart, hard)
    mine, base = brier(apart, hard), brier(np.full(len(hard), hard.mean()), hard)
    useless = _useless(low, mine, base)
    return Report(
        rows=len(rows),
        hard=int(hard.sum()),
        sources=_counted([row.source for row in rows], hard),
        types=_counted(types, hard),
        auroc=area,
        auroc_low=low,
        auroc_high=high,
        calibration_error=calibration_error(apart, hard),
        brier=mine,
        brier_base=base,
        calibration=calibration,
        usable=not useless,
        why=useless or _worth(area, 1.0 - mine / base),
    )


def _useless(low: float, mine: float, base: float) -> str:
    if low <= 0.5:
        return (
            f"It can't be told from a coin: the interval of its AUROC begins at {low:.3f}, which "
            "is not above 0.5."
        )
    if mine >= base:
        return (
            f"It is no better than saying the base rate each time: its Brier score is {mine:.4f}, "
            f"that of the base rate {base:.4f}."
        )
    return ""


def _worth(area: float, skill: float) -> str:
    return (
        f"It puts a hard call above an easy one {share(area, 0)} of the time (a coin: 50 %) and "
        f"saves {share(skill)} of the base rate's squared error."
    )


def _counted(names: Sequence[Name], hard: NDArray[np.float64]) -> dict[Name, tuple[int, int]]:
    rows: Counter[Name] = Counter(names)
    of_them: Counter[Name] = Counter(n for n, h in zip(names, hard, strict=True) if h)
    return {name: (count, of_them[name]) for name, count in rows.most_common()}
