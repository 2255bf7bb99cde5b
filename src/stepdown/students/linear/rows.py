"""Training rows as arrays: texts, features, field targets, scopes and folds."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.datasets import Example
from stepdown.core.tasks import Input, input_text
from stepdown.students.choice import ABSENT, Labels
from stepdown.students.choice_training import index_labels, long_tailed
from stepdown.students.features import Featurizer, Matrix
from stepdown.students.linear.form import GATE, Blank
from stepdown.students.linear.plan import ROOTS, Part, Plan, target_values
from stepdown.students.static import StaticTable

__all__ = ["FOLDS", "Look", "Rows", "Target", "blank_of", "gather", "targets_of"]

FOLDS = 3

_WEIGHTS = 12_000_000
"""At most this many weights in all heads together: 48 MB."""
_LEAST_FEATURES, _MOST_FEATURES = 5_000, 60_000


class Rows(msgspec.Struct, frozen=True):
    """All training examples; `scopes[i]` is the tool that example i calls, "" elsewhere.

    `folds` (0 to FOLDS - 1) keep what is alike together: a caller's group, or near-duplicates,
    which `groups` number.
    """

    inputs: tuple[Input, ...]
    texts: tuple[str, ...]
    records: tuple[dict[str, Any], ...]
    known: NDArray[np.bool_]
    scopes: tuple[str, ...]
    folds: NDArray[np.intp]
    groups: NDArray[np.intp]
    soft: tuple[dict[str, float], ...] = ()

    def of(self, scope: str) -> NDArray[np.intp]:
        """Return the rows of one scope whose answer is of the task's shape."""
        inside = np.array([own == scope for own in self.scopes], bool)
        return np.flatnonzero(self.known & inside)


class Target(msgspec.Struct, frozen=True):
    """What one head learns: the class index of each of `rows` (indices of training rows).

    `soft` is how likely the teacher found each class, float32 [rows, classes], where it told; a row
    of it that it did not tell of is all zero.
    """

    path: str
    labels: Labels
    rows: NDArray[np.intp]
    classes: NDArray[np.intp]
    soft: NDArray[np.float32] | None = None

    @property
    def balanced(self) -> bool:
        """Say whether rare classes are weighed up.

        Labels and tools alone: an argument that is hardly ever given is rare for a reason.
        """
        return self.path in ROOTS.values() and long_tailed(self.classes)

    def examples(
        self, keep: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64] | None]:
        """Return rows, classes and weights to train on, of all rows or of those to `keep`.

        A row with soft labels stands once for each class, weighted by that class's probability
        (Hinton et al. 2015, Distilling the Knowledge in a Neural Network, section 2, for a learner
        that takes hard labels with weights). Weights are None where every row counts the same.
        """
        inside = np.arange(len(self.rows)) if keep is None else np.flatnonzero(keep[self.rows])
        rows, classes = self.rows[inside], self.classes[inside]
        if self.soft is None:
            return rows, classes, None
        told = self.soft[inside]
        hard = np.flatnonzero(told.sum(axis=1) == 0)
        at, labels = np.nonzero(told)
        return (
            np.concatenate([rows[hard], rows[at]]),
            np.concatenate([classes[hard], labels]),
            np.concatenate([np.ones(len(hard)), told[at, labels].astype(np.float64)]),
        )


def gather(plan: Plan, examples: Sequence[Example]) -> Rows:
    """Return the examples as rows."""
    tools = [example.record.get("/tool") if plan.shape == "tool" else None for example in examples]
    groups = np.array([example.kin for example in examples], np.intp)
    return Rows(
        tuple(example.input for example in examples),
        tuple(input_text(example.input) for example in examples),
        tuple(example.record for example in examples),
        np.array([example.known for example in examples], bool),
        tuple(tool if isinstance(tool, str) else "" for tool in tools),
        groups % FOLDS,
        groups,
        tuple(example.soft for example in examples),
    )


def _target(part: Part, plan: Plan, rows: Rows) -> Target:
    whole = plan.shape != "tool" or part.path == "/tool"
    inside = np.flatnonzero(rows.known) if whole else rows.of(part.scope)
    values = target_values(part, [rows.records[at] for at in inside])
    labels, at, classes = _indexed(values, inside)
    soft = _soft(labels, rows, inside) if part.path == "" and any(rows.soft) else None
    return Target(part.path, labels, at, classes, soft)


def _soft(labels: Labels, rows: Rows, inside: NDArray[np.intp]) -> NDArray[np.float32]:
    index = {value: at for at, value in enumerate(labels.values) if isinstance(value, str)}
    table = np.zeros((len(inside), len(labels)), np.float32)
    for at, row in enumerate(inside.tolist()):
        for label, probability in rows.soft[row].items():
            if label in index:
                table[at, index[label]] = probability
    # A label that no answer has is no class: what is left stands for the whole.
    totals = table.sum(axis=1, keepdims=True)
    return np.divide(table, totals, out=np.zeros_like(table), where=totals > 0)


def _indexed(
    values: Sequence[Any], inside: NDArray[np.intp]
) -> tuple[Labels, NDArray[np.intp], NDArray[np.intp]]:
    labels, classes = index_labels(values)
    return labels, inside, classes


def targets_of(plan: Plan, rows: Rows) -> dict[str, Target]:
    """Return the target of every head: fields chosen from a set, presence of free ones, the gate.

    Left out are fields of scopes without a row.
    """
    parts = [part for part in plan.parts if part.method != "span"]
    targets = {part.path: _target(part, plan, rows) for part in parts}
    if plan.gated:
        everything = np.arange(len(rows.known))
        targets[GATE] = Target(GATE, *_indexed(rows.known.tolist(), everything))
    return {path: target for path, target in targets.items() if len(target.rows)}


Look = Callable[[Featurizer, Sequence[Input]], Featurizer]
"""look(ngrams, inputs) → a featurizer that sees more of a text than n-grams and static vectors."""


def featurize(
    rows: Rows, targets: dict[str, Target], static: StaticTable | None, look: Look | None = None
) -> tuple[Featurizer, Matrix]:
    """Return a featurizer fitted on the rows, as large as the heads allow, and their features."""
    columns = max(1, sum(len(target.labels) for target in targets.values()))
    most = min(max(_WEIGHTS // columns, _LEAST_FEATURES), _MOST_FEATURES)
    featurizer = Featurizer.fit(rows.inputs, most, static)
    if look is not None:
        featurizer = look(featurizer, rows.inputs)
    return featurizer, featurizer.matrix(rows.inputs)


def blank_of(part: Part, rows: Rows) -> Blank:
    """Return what the teacher writes where a span field has no value.

    The majority of the rows without a value decides.
    """
    values = [rows.records[at].get(part.path, ABSENT) for at in rows.of(part.scope)]
    null, absent = values.count(None), values.count(ABSENT)
    if not null and not absent:
        return "never"
    return "null" if null > absent else "absent"
