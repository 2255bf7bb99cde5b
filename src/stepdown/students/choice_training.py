"""Training a choice head: a linear model that picks one of a closed set of values.

Two linear views are trained: a one-vs-rest support vector machine on everything (Fan et al.,
LIBLINEAR, JMLR 2008), and a multinomial logistic regression on the static vectors alone, which
generalises to words that training did not hold. Their decision values are added with two weights
that minimise the log-loss on held-out rows (temperature scaling, Guo et al., ICML 2017 §4.2, for
two models at once), so that their softmax is a probability. A sum of linear models is a linear
model: the head keeps the sum alone.
"""

import threading
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from stepdown.core.fingerprint import canonical_json
from stepdown.students.choice import ABSENT, ChoiceHead, Labels, Mark
from stepdown.students.features import Matrix

__all__ = [
    "DEFAULT_MIX",
    "Mix",
    "Views",
    "fit_mix",
    "fit_views",
    "index_labels",
    "long_tailed",
    "merge_views",
    "softmax",
]

Floats = NDArray[np.float64]
_LIBLINEAR = threading.Lock()
_SVM_C = 1.0
_LONG_TAIL = 3.0
_SVM_TOLERANCE = 0.1
_STATIC_C = 10.0
_STATIC_ROWS = 20_000
_PRIOR = np.log([3.0, 0.3])
"""Where the two weights of `fit_mix` start, and stay where few rows say otherwise."""
_BOUNDS = (np.log(0.01), np.log(50.0))


def _key(value: Any) -> bytes:
    if isinstance(value, Mark):
        return value.name.encode()
    if isinstance(value, str):
        value = value.strip()
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    return canonical_json(value)


def _exact(value: Any) -> bytes:
    return value.name.encode() if isinstance(value, Mark) else canonical_json(value)


def index_labels(values: Sequence[Any]) -> tuple[Labels, NDArray[np.intp]]:
    """Return the distinct values and, for each value, the index of its class.

    Values that agree as answers are one class, which takes its commonest spelling: "a" and "a ",
    1 and 1.0, null and `ABSENT`.
    """
    empty = Counter(value is None for value in values if value is None or value == ABSENT)
    nothing = None if empty[True] > empty[False] else ABSENT
    values = [nothing if value is None or value == ABSENT else value for value in values]
    keys = [_key(value) for value in values]
    spellings: dict[bytes, Counter[bytes]] = {}
    originals: dict[tuple[bytes, bytes], Any] = {}
    for key, value in zip(keys, values, strict=True):
        exact = _exact(value)
        spellings.setdefault(key, Counter())[exact] += 1
        originals.setdefault((key, exact), value)
    ranked = sorted(spellings, key=lambda key: (-spellings[key].total(), key))
    best = [min(spellings[k].items(), key=lambda item: (-item[1], item[0]))[0] for k in ranked]
    place = {key: at for at, key in enumerate(ranked)}
    labels = Labels(tuple(originals[pair] for pair in zip(ranked, best, strict=True)))
    return labels, np.array([place[key] for key in keys], np.intp)


class Views(msgspec.Struct, frozen=True):
    """Two linear models over the same `classes`: float32 [features, classes] and biases [classes].

    `ngrams`, `dense` and `bias` are the support vector machine, `static` and `static_bias` the
    logistic regression. Classes without a training row have the bias -inf.
    """

    ngrams: NDArray[np.float32]
    dense: NDArray[np.float32]
    bias: NDArray[np.float32]
    static: NDArray[np.float32]
    static_bias: NDArray[np.float32]

    def decide(self, rows: Matrix) -> tuple[Floats, Floats]:
        """Return both models' decision values [rows, classes]; the second are 0 without vectors."""
        machine = np.asarray(rows.sparse @ self.ngrams) + rows.dense @ self.dense + self.bias
        static = rows.dense @ self.static + self.static_bias
        return machine.astype(np.float64), static.astype(np.float64)


class Mix(msgspec.Struct, frozen=True):
    """How much each view's decision values count."""

    machine: float
    static: float


DEFAULT_MIX = Mix(*np.exp(_PRIOR).tolist())


def _machine(
    rows: Matrix, target: NDArray[np.intp], shares: NDArray[np.float64] | None, balanced: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weights [features + vectors, seen classes] and biases of the one-vs-rest machine."""
    weighted = "balanced" if balanced else None
    columns = sparse.hstack([rows.sparse, sparse.csr_matrix(rows.dense)]).tocsr()
    model = LinearSVC(C=_SVM_C, tol=_SVM_TOLERANCE, random_state=0, class_weight=weighted)
    # LIBLINEAR draws from one generator for the whole process: side by side, two fits would each
    # depend on the other's timing, and the same rows would not give the same weights.
    with _LIBLINEAR:
        model.fit(columns, target, sample_weight=shares)
    weights, bias = np.asarray(model.coef_).T, np.ravel(model.intercept_)
    if weights.shape[1] == 1:
        weights, bias = np.hstack([-weights, weights]), np.concatenate([-bias, bias])
    return weights.astype(np.float32), bias.astype(np.float32)


def _static(
    rows: Matrix, target: NDArray[np.intp], shares: NDArray[np.float64] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weights [vectors, seen classes] and biases of the logistic regression."""
    vectors = rows.dense
    if len(target) > _STATIC_ROWS:
        # Every k-th row: all classes of any size stay in it.
        step = -(-len(target) // _STATIC_ROWS)
        keep = np.unique(np.r_[np.arange(0, len(target), step), np.unique(target, True)[1]])
        vectors, target = vectors[keep], target[keep]
        shares = None if shares is None else shares[keep]
    model = LogisticRegression(C=_STATIC_C, max_iter=100, tol=1e-3)
    with warnings.catch_warnings():
        # The weights are good long before the last digit, and are judged on held-out rows.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(vectors, target, sample_weight=shares)
    weights, bias = np.asarray(model.coef_).T, np.asarray(model.intercept_)
    if weights.shape[1] == 1:
        weights, bias = np.hstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights.astype(np.float32), bias.astype(np.float32)


def _spread(
    weights: NDArray[np.float32], seen: NDArray[np.intp], classes: int, fill: float = 0.0
) -> NDArray[np.float32]:
    full = np.full((*weights.shape[:-1], classes), fill, np.float32)
    full[..., seen] = weights
    return full


def long_tailed(classes: NDArray[np.intp]) -> bool:
    """Say whether the commonest class has three times the rows of a class of the rarest quarter.

    Rare labels are then drowned: weighing them gained up to a point of accuracy and four of the
    mean over classes on long-tailed draws of training rows, and lost nothing elsewhere.
    """
    counts = np.unique(classes, return_counts=True)[1]
    if len(counts) < 2:
        return False
    return bool(counts.max() >= _LONG_TAIL * np.quantile(counts, 0.25, method="lower"))


def fit_views(
    rows: Matrix,
    target: NDArray[np.intp],
    classes: int,
    shares: NDArray[np.float64] | None = None,
    *,
    balanced: bool = False,
) -> Views:
    """Train both views on rows and their class indices; `classes` may hold some without a row.

    `shares` is how much each row counts, all alike where it is None. `balanced` weighs a class of
    the machine by how rare it is (King and Zeng 2001, *Logistic Regression in Rare Events Data*).
    """
    size = rows.sparse.get_shape()[1]
    seen, inner = np.unique(target, return_inverse=True)
    dense_size = rows.dense.shape[1]
    nothing = np.zeros((dense_size, classes), np.float32)
    if len(seen) < 2:
        # Without any row at all, no class is ruled out.
        never = -np.inf if len(seen) else 0.0
        bias = _spread(np.zeros(len(seen), np.float32), seen, classes, never)
        ngrams = np.zeros((size, classes), np.float32)
        return Views(ngrams, nothing, bias, nothing, np.zeros(classes, np.float32))
    weights, bias = _machine(rows, inner, shares, balanced)
    weights = _spread(weights, seen, classes)
    static, static_bias = _static(rows, inner, shares) if dense_size else (None, None)
    return Views(
        weights[:size],
        weights[size:],
        _spread(bias, seen, classes, -np.inf),
        nothing if static is None else _spread(static, seen, classes),
        np.zeros(classes, np.float32)
        if static_bias is None
        else _spread(static_bias, seen, classes),
    )


def softmax(logits: Floats) -> Floats:
    """Return exp(logits) over its sum along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def fit_mix(machine: Floats, static: Floats, target: NDArray[np.intp]) -> Mix:
    """Return the two weights that minimise the log-loss of held-out decision values.

    A log-normal prior, worth about one row, keeps them finite where every row is right. Rows whose
    class training never saw say nothing of the weights and are left out.
    """
    at = np.arange(len(target))
    usable = np.isfinite(machine[at, target]) if len(target) else np.zeros(0, bool)
    machine, static, target = machine[usable], static[usable], target[usable]
    if not len(target):
        return DEFAULT_MIX
    at = np.arange(len(target))

    def loss(log_weights: Floats) -> float:
        chances = softmax(np.exp(log_weights[0]) * machine + np.exp(log_weights[1]) * static)
        likelihood = np.log(np.maximum(chances[at, target], 1e-12)).sum()
        return float((0.5 * np.square(log_weights - _PRIOR).sum() - likelihood) / len(target))

    found = minimize(loss, _PRIOR, method="L-BFGS-B", bounds=[_BOUNDS, _BOUNDS])
    return Mix(*np.exp(found.x).tolist())


def merge_views(labels: Labels, views: Views, mix: Mix) -> ChoiceHead:
    """Return the one linear model that the weighted sum of both views is."""
    if len(labels) == 1:
        empty = np.zeros((0, 1), np.float32)
        return ChoiceHead(labels, empty, empty, np.zeros(1, np.float32))

    def total(machine: NDArray[np.float32], static: NDArray[np.float32]) -> NDArray[np.float32]:
        return (mix.machine * machine + mix.static * static).astype(np.float32)

    return ChoiceHead(
        labels,
        np.ascontiguousarray(mix.machine * views.ngrams, np.float32),
        total(views.dense, views.static),
        total(views.bias, views.static_bias),
    )
