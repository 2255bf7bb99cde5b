"""The linear scorers: of a sentence, how likely the teacher used it; of a pick, how good it is.

What fits them is loaded when it is called: serving should not wait for it.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.students.extractive.sentences import BUCKETS, COLUMNS, Sentence

__all__ = ["Scorer", "Sureness", "fit_scorer", "fit_sureness"]

_LEAST_ROWS = 30
_MARGIN = 30.0


class Scorer(msgspec.Struct, frozen=True):
    """Weights float32 [BUCKETS + COLUMNS] and a shift; a score is in log-odds."""

    weights: NDArray[np.float32]
    shift: float

    def __call__(self, sentences: Sequence[Sentence]) -> NDArray[np.float64]:
        """Return the score of each sentence, float64."""
        words, other = self.weights[:BUCKETS], self.weights[BUCKETS:]
        return np.array(
            [
                float(words[one.ids].sum()) / max(len(one.ids), 1) ** 0.5
                + float(other @ one.values)
                + self.shift
                for one in sentences
            ]
        )


def fit_scorer(sentences: Sequence[Sentence], used: NDArray[np.bool_]) -> Scorer:
    """Fit on sentences and whether each was used; both classes count alike, as few are used."""
    if not len(used) or used.all() or not used.any():
        return Scorer(np.zeros(BUCKETS + COLUMNS, np.float32), 0.0)
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    ends = np.cumsum([0, *(len(one.ids) for one in sentences)])
    lengths = np.diff(ends)
    values = np.repeat(1.0 / np.sqrt(np.maximum(lengths, 1)), lengths)
    ids = np.concatenate([one.ids for one in sentences])
    words = sparse.csr_matrix((values, ids, ends), shape=(len(sentences), BUCKETS))
    other = sparse.csr_matrix(np.array([one.values for one in sentences], np.float64))
    model = LogisticRegression(C=1.0, class_weight="balanced", solver="liblinear")
    model.fit(sparse.hstack([words, other], format="csr"), used)
    return Scorer(np.ravel(model.coef_).astype(np.float32), float(np.ravel(model.intercept_)[0]))


class Sureness(msgspec.Struct, frozen=True):
    """How good a pick is likely to be, from its evidence; without weights it is `shift` alone."""

    weights: tuple[float, ...] = ()
    shift: float = 0.0

    def __call__(self, evidence: NDArray[np.float64]) -> float:
        """Return 1 minus the loss to be expected, in [0, 1]."""
        total = self.shift + sum(map(float.__mul__, self.weights, evidence.tolist()))
        return float(1.0 / (1.0 + np.exp(-np.clip(total, -_MARGIN, _MARGIN))))


def fit_sureness(evidence: NDArray[np.float64], losses: NDArray[np.float64]) -> Sureness:
    """Fit on held-out picks: their evidence [rows, EVIDENCE] and what each lost.

    A logistic regression of the share kept: each row counts as right by 1 - loss, as wrong by loss.
    """
    kept = float(np.clip(1.0 - losses.mean(), 1e-3, 1 - 1e-3)) if len(losses) else 0.5
    plain = Sureness((), float(np.log(kept / (1 - kept))))
    if len(losses) < _LEAST_ROWS or not 1.0 < losses.sum() < len(losses) - 1.0:
        return plain
    from sklearn.linear_model import LogisticRegression

    mean, scale = evidence.mean(axis=0), evidence.std(axis=0)
    # A column that never varies says nothing, and must say nothing later.
    scale[scale < 1e-9] = np.inf
    rows = (evidence - mean) / scale
    flags = np.repeat([True, False], len(losses))
    model = LogisticRegression(C=1.0)
    model.fit(np.vstack([rows, rows]), flags, np.concatenate([1.0 - losses, losses]))
    weights = np.ravel(model.coef_) / scale
    shift = float(np.ravel(model.intercept_)[0] - weights @ mean)
    return Sureness(tuple(weights.tolist()), shift)
