"""How sure a student is of a whole record: the score that the proof's threshold is put on.

A logistic regression from what the student knows of its own answer to "the record is the
teacher's", fitted on held-out training rows alone. Fields are not independent, so the product of
their probabilities is one input among several.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

__all__ = ["INPUTS", "Confidence", "Evidence", "Platt", "fit_confidence", "fit_platt"]

INPUTS = 8
"""How many inputs the regression has: `Evidence.inputs`."""

_LEAST_ROWS = 60
_LEAST_OF_EACH = 5
_TINY = 1e-6
_SHRINK_ROWS = 30
"""A class's mean residual counts as if this many rows of residual 0 were in it."""
_FOLDS = 5
_NOVEL_QUANTILE = 0.001


def _logit(probability: float) -> float:
    clipped = min(max(probability, _TINY), 1 - _TINY)
    return math.log(clipped / (1 - clipped))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -500 else 0.0


class Platt(msgspec.Struct, frozen=True):
    """A field's probability, recalibrated (Platt, 1999): logistic(slope * logit(p) + shift)."""

    slope: float = 1.0
    shift: float = 0.0

    def __call__(self, probability: float) -> float:
        """Return the recalibrated probability."""
        return _logistic(self.slope * _logit(probability) + self.shift)


def fit_platt(probabilities: Sequence[float], right: Sequence[bool]) -> Platt:
    """Fit on held-out rows; where these are too few or too much alike, nothing is changed."""
    wrong = len(right) - sum(right)
    if len(right) < _LEAST_ROWS or min(wrong, sum(right)) < _LEAST_OF_EACH:
        return Platt()
    column = np.array([[_logit(p)] for p in probabilities])
    model = LogisticRegression(C=1.0).fit(column, np.array(right, bool))
    slope = float(np.ravel(model.coef_)[0])
    return Platt(slope, float(np.ravel(model.intercept_)[0])) if slope > 0 else Platt()


class Evidence(msgspec.Struct, frozen=True):
    """What is known of one answer.

    `probabilities` of its fields; `log_ratio` the smallest and `entropy` the sum over its choice
    fields; `words` in the input and the share of them `known` from training; `spans` filled;
    `root` the class index of the label or tool, -1 without one.
    """

    probabilities: tuple[float, ...]
    log_ratio: float
    entropy: float
    words: int
    known: float
    spans: int = 0
    root: int = -1

    @property
    def product(self) -> float:
        """The record's probability if its fields were independent."""
        return math.prod(self.probabilities)

    def inputs(self, residual: float) -> tuple[float, ...]:
        """Return the inputs of the regression; `residual` is that of the root's class."""
        return (
            _logit(self.product),
            _logit(min(self.probabilities, default=1.0)),
            self.log_ratio,
            self.entropy,
            math.log1p(self.words),
            self.known,
            float(self.spans),
            residual,
        )


class Confidence(msgspec.Struct, frozen=True):
    """The fitted score; without weights it is the product of the fields' probabilities.

    `residuals` has, for each class of the root, how much oftener than its probability says it was
    right in training. Below the share `least_known` of known words an input is unlike the training
    rows, and its score shrinks in proportion.
    """

    weights: tuple[float, ...] = ()
    shift: float = 0.0
    residuals: tuple[float, ...] = ()
    least_known: float = 0.0

    def __call__(self, evidence: Evidence) -> float:
        """Return the probability in [0, 1] that the record is the teacher's."""
        if self.weights:
            root = evidence.root
            residual = self.residuals[root] if 0 <= root < len(self.residuals) else 0.0
            inputs = evidence.inputs(residual)
            score = _logistic(self.shift + sum(map(float.__mul__, self.weights, inputs)))
        else:
            score = evidence.product
        if evidence.known < self.least_known:
            score *= evidence.known / self.least_known
        return score


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
