"""Fitting a linear student's novelty model: on the vectors of its rows, and its head's claims."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepdown.students.features import Matrix
from stepdown.students.linear.rehearsal import HeldOut
from stepdown.students.linear.rows import Rows, Target
from stepdown.students.novelty import Novelty, fit_novelty, sketch

__all__ = ["fit_unlike"]


def _vectors(matrix: Matrix) -> NDArray[np.float32]:
    if matrix.dense.shape[1]:
        return matrix.dense if matrix.origin is None else matrix.dense + matrix.origin
    rows: Any = matrix.sparse
    ends: list[int] = rows.indptr.tolist()
    found = [sketch(rows.indices[a:b], rows.data[a:b]) for a, b in pairwise(ends)]
    return np.array(found, np.float32)


def fit_unlike(
    rows: Rows, matrix: Matrix, targets: Mapping[str, Target], held: HeldOut, root: str | None
) -> Novelty | None:
    """Return the novelty model of the training rows; `root` is the field of the label or tool.

    Where there is a root with several classes, the claims of its rehearsed head count as well.
    """
    target = targets.get(root) if root is not None else None
    choices = held.choices.get(root) if root is not None else None
    if target is None or not choices or len(target.labels) < 2:
        return fit_novelty(rows.texts, _vectors(matrix), rows.folds)
    classes = np.full(len(rows.texts), -1, np.intp)
    classes[target.rows] = target.classes
    claims = np.full(len(rows.texts), np.nan)
    for row, choice in choices.items():
        claims[row] = choice.claim
    return fit_novelty(rows.texts, _vectors(matrix), rows.folds, classes=classes, claims=claims)
