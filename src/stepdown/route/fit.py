"""Fitting a score: a logistic model with an L2 penalty, and its calibration, both out of fold.

Rows of one text lie in one fold. Nothing that judges a fold was fitted or chosen with it.
"""

from collections.abc import Sequence
from typing import Any, Literal, cast
from zlib import crc32

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from stepdown.route.quality import brier
from stepdown.route.score import Calibration, calibrated

__all__ = [
    "FOLDS",
    "PENALTIES",
    "calibrate",
    "calibrated_apart",
    "folds_of",
    "logistic_path",
    "scored_apart",
]

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
Folds = NDArray[np.int64]

FOLDS = 5
PENALTIES = (3000.0, 1000.0, 300.0, 100.0, 30.0, 10.0)
"""Strengths of the penalty that are tried, in units of one row's loss; the strongest first."""

# scipy ships no types.
_minimise: Any = cast("Any", scipy.optimize).minimize
_isotonic: Any = cast("Any", scipy.optimize).isotonic_regression

_STEPS = 40
_LARGEST = 30.0
_LEAST_FOR_ISOTONIC = 200


def folds_of(texts: Sequence[str]) -> Folds:
    """Return each row's fold, by its text without case and spacing."""
    keys = (" ".join(text.lower().split()) for text in texts)
    return np.array([crc32(key.encode("utf-8", "replace")) % FOLDS for key in keys], np.int64)


def logistic_path(
    matrix: Matrix, target: Floats, penalties: Sequence[float] = PENALTIES
) -> list[Floats]:
    """Return the weights for each penalty, each starting from the one before.

    `matrix` is [rows, features] and `target` in [0, 1]; the intercept stands last and is free.
    """
    weights = np.zeros(matrix.shape[1] + 1)
    mean = min(max(float(target.mean()), 1e-6), 1 - 1e-6)
    weights[-1] = np.log(mean / (1 - mean))
    found: list[Floats] = []
    for penalty in penalties:
        done: Any = _minimise(
            _loss,
            weights,
            (matrix, target, penalty),
            method="L-BFGS-B",
            jac=True,
            options={"maxiter": _STEPS, "ftol": 1e-6},
        )
        weights = np.asarray(done.x, float)
        found.append(weights)
    return found


def _loss(weights: Floats, matrix: Matrix, target: Floats, penalty: float) -> tuple[float, Floats]:
    slopes = weights[:-1].astype(np.float32)
    raw = (matrix @ slopes).astype(float) + weights[-1]
    probability = 1.0 / (1.0 + np.exp(-np.clip(raw, -_LARGEST, _LARGEST)))
    loss = float(np.sum(np.logaddexp(0.0, raw) - target * raw))
    loss += 0.5 * penalty * float(weights[:-1] @ weights[:-1])
    wrong = probability - target
    slope = (wrong.astype(np.float32) @ matrix).astype(float) + penalty * weights[:-1]
    return loss, np.append(slope, wrong.sum())


def scored_apart(matrix: Matrix, target: Floats, folds: Folds) -> tuple[Floats, float]:
    """Return each row's raw score by a model that has not seen its fold, and the best penalty.

    The penalty of a fold's model is the one that does best on the other folds.
    """
    every = np.zeros((len(PENALTIES), len(target)))
    for fold in np.unique(folds):
        out = folds == fold
        for at, weights in enumerate(logistic_path(matrix[~out], target[~out])):
            every[at, out] = (matrix[out] @ weights[:-1].astype(np.float32)) + weights[-1]
    losses = np.logaddexp(0.0, every) - target * every
    raw = np.zeros(len(target))
    for fold in np.unique(folds):
        out = folds == fold
        raw[out] = every[int(np.argmin(losses[:, ~out].sum(axis=1))), out]
    return raw, PENALTIES[int(np.argmin(losses.sum(axis=1)))]


def calibrate(raw: Floats, target: Floats, folds: Folds) -> Calibration:
    """Fit Platt's curve or an isotonic one, whichever does better out of fold on these rows.

    Isotonic needs enough rows of either kind to have steps that are not noise.
    """
    platt = _fit("platt", raw, target)
    fewer = min(target.sum(), len(target) - target.sum())
    if fewer < _LEAST_FOR_ISOTONIC:
        return platt
    tried = {kind: np.zeros(len(raw)) for kind in ("platt", "isotonic")}
    for fold in np.unique(folds):
        out = folds == fold
        for kind in ("platt", "isotonic"):
            tried[kind][out] = calibrated(_fit(kind, raw[~out], target[~out]), raw[out])
    better = brier(tried["isotonic"], target) < brier(tried["platt"], target)
    return _fit("isotonic", raw, target) if better else platt


def calibrated_apart(raw: Floats, target: Floats, folds: Folds) -> Floats:
    """Return each row's probability by a calibration fitted and chosen on the other folds."""
    found = np.zeros(len(raw))
    for fold in np.unique(folds):
        out = folds == fold
        found[out] = calibrated(calibrate(raw[~out], target[~out], folds[~out]), raw[out])
    return found


def _fit(kind: Literal["platt", "isotonic"], raw: Floats, target: Floats) -> Calibration:
    return _fit_platt(raw, target) if kind == "platt" else _fit_isotonic(raw, target)


def _fit_platt(raw: Floats, target: Floats) -> Calibration:
    """Fit by Newton steps to smoothed targets (Platt 1999, section 2.2).

    A curve that falls would say that the score is upside down: it is made level.
    """
    hard = float(target.sum())
    high, low = (hard + 1) / (hard + 2), 1 / (len(target) - hard + 2)
    smooth = low + target * (high - low)
    mean = float(smooth.mean())
    at = np.array([0.0, np.log(mean / (1 - mean))])
    level = at.copy()
    columns = np.stack((raw, np.ones(len(raw))))
    for _ in range(30):
        given = 1.0 / (1.0 + np.exp(-np.clip(at @ columns, -_LARGEST, _LARGEST)))
        curvature = (columns * (given * (1 - given))) @ columns.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, columns @ (given - smooth))
        at -= np.clip(step, -2.0, 2.0)
        if float(np.abs(step).max()) < 1e-9:
            break
    slope, intercept = at if at[0] > 0 else level
    return Calibration("platt", (float(slope), float(intercept)))


def _fit_isotonic(raw: Floats, target: Floats) -> Calibration:
    """Fit the rising steps nearest to the target; a step is one point at its mean score."""
    order = np.argsort(raw, kind="stable")
    values = np.asarray(_isotonic(target[order]).x, float)
    _, steps = np.unique(values, return_inverse=True)
    sizes = np.bincount(steps)
    at = np.bincount(steps, raw[order]) / sizes
    # As if each step had one more row of the mean: no step of a few rows says never or always.
    smooth = (np.bincount(steps, target[order]) + target.mean()) / (sizes + 1)
    smooth = np.maximum.accumulate(smooth)
    return Calibration("isotonic", tuple(at.tolist()), tuple(smooth.tolist()))
