"""Fitting how sure a student is of a record, and of a field, on held-out training rows."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from stepdown.core.datasets import Example
from stepdown.students.confidence import Confidence, Evidence, Platt, logit

__all__ = ["fit_confidence", "fit_platt", "held_out"]

_TINY = 1e-6
_LEAST_ROWS = 60
_LEAST_OF_EACH = 5
_SHRINK_ROWS = 30
"""A class's mean residual counts as if this many rows of residual 0 were in it."""
_FOLDS = 5
_HELD = 6
"""One group of rows in so many is held out to calibrate on."""
_NOVEL_QUANTILE = 0.001


def held_out(examples: Sequence[Example], most: int) -> tuple[list[Example], list[Example]]:
    """Return at most so many rows to calibrate on, and those to train on: groups stay whole."""
    held: list[Example] = []
    train: list[Example] = []
    for example in examples:
        (train if example.kin % _HELD else held).append(example)
    return held[:most], train


def fit_platt(probabilities: Sequence[float], right: Sequence[bool]) -> Platt:
    """Fit on held-out rows; where these are too few or too much alike, nothing is changed."""
    wrong = len(right) - sum(right)
    if len(right) < _LEAST_ROWS or min(wrong, sum(right)) < _LEAST_OF_EACH:
        return Platt()
    column = np.array([[logit(p)] for p in probabilities])
    model = LogisticRegression(C=1.0).fit(column, np.array(right, bool))
    slope = float(np.ravel(model.coef_)[0])
    return Platt(slope, float(np.ravel(model.intercept_)[0])) if slope > 0 else Platt()


def _residuals(
    roots: NDArray[np.intp], gaps: NDArray[np.float64], classes: int
) -> NDArray[np.float64]:
    kept = roots >= 0
    total = np.bincount(roots[kept], weights=gaps[kept], minlength=classes)
    return total / (np.bincount(roots[kept], minlength=classes) + _SHRINK_ROWS)


def _held_out_residuals(
    roots: NDArray[np.intp], gaps: NDArray[np.float64], classes: int
) -> NDArray[np.float64]:
    """Return each row's class residual from the other folds: its own outcome would tell on it."""
    residuals = np.zeros(len(roots))
    folds = np.arange(len(roots)) % _FOLDS
    for fold in range(_FOLDS):
        inside = folds == fold
        table = np.append(_residuals(roots[~inside], gaps[~inside], classes), 0.0)
        residuals[inside] = table[roots[inside]]
    return residuals


def fit_confidence(rows: Sequence[Evidence], right: Sequence[bool], classes: int) -> Confidence:
    """Fit on held-out rows: their evidence, and whether the record was the teacher's.

    `classes` is the number of the root's classes. Where the rows are too few, or nearly all right
    or all wrong, the score is the plain product.
    """
    known = [row.known for row in rows]
    least = float(np.quantile(known, _NOVEL_QUANTILE)) if len(rows) >= _LEAST_ROWS else 0.0
    wrong = len(right) - sum(right)
    if len(right) < _LEAST_ROWS or min(wrong, sum(right)) < _LEAST_OF_EACH:
        return Confidence(least_known=least)
    roots = np.array([row.root for row in rows], np.intp)
    gaps = np.array(right, float) - np.array([row.product for row in rows])
    held_out = _held_out_residuals(roots, gaps, classes)
    inputs = np.array([row.inputs(r) for row, r in zip(rows, held_out.tolist(), strict=True)])
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0)
    # A column that never varies says nothing, and must say nothing later.
    scale[scale < _TINY] = np.inf
    model = LogisticRegression(C=1.0, max_iter=1000)
    model.fit((inputs - mean) / scale, np.array(right, bool))
    weights = np.asarray(model.coef_)[0] / scale
    shift = float(np.ravel(model.intercept_)[0] - weights @ mean)
    residuals = _residuals(roots, gaps, classes)
    return Confidence(tuple(weights.tolist()), shift, tuple(residuals.tolist()), least)
