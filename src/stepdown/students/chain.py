"""Two students in a row: the first answers what it is sure of, the second looks at the rest.

A chain is a student like any other, with one answer and one confidence for an input, so one joint
certificate covers it; longer chains are chains of chains. What joins the two is fitted on rehearsed
rows (guesses for training rows by models not trained on them); calibration rows have no part in it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.datasets import Example
from stepdown.core.fingerprint import canonical_json
from stepdown.core.ports import Prediction, Rehearsed, Student
from stepdown.core.records import same_record
from stepdown.core.tasks import Input
from stepdown.errors import ArtefactError

__all__ = ["CHAIN", "Chain", "ChainSaver", "Join", "join", "load_chain", "rehearsed_of"]

_FILE = "chain.json"
_LEAST_ROWS = 60
_LEAST_OF_EACH = 5
_GATES = 12
_INDIFFERENT = 0.005
"""Coverage that is given away for letting the first student answer more of the calls alone."""
_TINY = 1e-6


class Join(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What joins two students.

    At a confidence of `gate` or more the first one's answer is taken as it is. Below, the second
    answers, and `weights` make its confidence from the logits of both, whether the first answered,
    and whether they agree (a logistic regression; `shift` is its intercept). Without weights the
    second's confidence stands.
    """

    gate: float
    weights: tuple[float, float, float, float] | None = None
    shift: float = 0.0

    def confidence(self, first: float | None, second: float, agree: bool) -> float:
        """Return the confidence in the second's answer; `first` is None where that abstained."""
        if self.weights is None:
            return second
        score = self.shift + sum(map(float.__mul__, self.weights, _inputs(first, second, agree)))
        return 1 / (1 + math.exp(-score)) if score > -500 else 0.0


class Chain:
    """A first and a second student, and what joins them."""

    family = "chain"

    def __init__(self, first: Student, second: Student, join: Join) -> None:
        self.id = ""
        self.first = first
        self.second = second
        self.join = join
        self.rehearsed: Mapping[str, Rehearsed] = {}

    @classmethod
    def fit(
        cls, first: Student, second: Student, examples: Sequence[Example], budget: float
    ) -> "Chain | None":
        """Join two freshly trained students by their rehearsed guesses for the training examples.

        The gate is the lowest whose coverage at the joint `budget`, as counted on those rows, is
        within half a point of the best. None where too few rows were rehearsed by both.
        """
        rows = _rows(rehearsed_of(first), rehearsed_of(second), examples)
        if len(rows) < _LEAST_ROWS:
            return None
        join = _best_join(rows, budget)
        chain = cls(first, second, join)
        chain.rehearsed = {row.id: row.through(join) for row in rows}
        return chain

    def predict(self, given: Input) -> Prediction:
        """Answer one input; the second student is asked only below the gate."""
        first = self.first.predict(given)
        answered = first.answer is not None
        if answered and first.confidence >= self.join.gate:
            return first
        second = self.second.predict(given)
        if second.answer is None:
            return first
        sure = first.confidence if answered else None
        agree = answered and same_record(first.record, second.record)
        score = self.join.confidence(sure, second.confidence, agree)
        novelty = max(first.novelty, second.novelty)
        return msgspec.structs.replace(second, confidence=score, novelty=novelty)


def join(links: Sequence[Student], examples: Sequence[Example], budget: float) -> Student:
    """Return the chain of all links, smallest first; one that can't be joined is left out of it.

    The last link itself where no other can be joined to it.
    """
    whole = links[-1]
    for link in reversed(links[:-1]):
        whole = Chain.fit(link, whole, examples, budget) or whole
    return whole


class _Row(msgspec.Struct, frozen=True):
    """One training row that both students have rehearsed."""

    id: str
    first: Rehearsed
    second: Rehearsed
    agree: bool
    first_right: bool
    second_right: bool

    def stops(self, gate: float) -> bool:
        """Say whether the first student's answer is final."""
        sure = self.first.confidence
        return self.second.confidence is None or (sure is not None and sure >= gate)

    def through(self, join: Join) -> Rehearsed:
        """Return what the chain would have said, as `Chain.predict` does."""
        second = self.second.confidence
        if second is None or self.stops(join.gate):
            return self.first
        score = join.confidence(self.first.confidence, second, self.agree)
        return Rehearsed(self.second.record, score)

    def right(self, gate: float) -> bool:
        """Say whether the answer at that gate is the teacher's."""
        return self.first_right if self.stops(gate) else self.second_right


def rehearsed_of(student: Student) -> Mapping[str, Rehearsed]:
    """Return a fresh student's guesses for training rows it was not trained on, by row id."""
    return getattr(student, "rehearsed", {})


def _rows(
    first: Mapping[str, Rehearsed], second: Mapping[str, Rehearsed], examples: Sequence[Example]
) -> list[_Row]:
    rows: list[_Row] = []
    for example in examples:
        a, b = first.get(example.id), second.get(example.id)
        if a is None or b is None:
            continue
        agree = a.confidence is not None and same_record(a.record, b.record)
        right = [example.known and same_record(guess.record, example.record) for guess in (a, b)]
        rows.append(_Row(example.id, a, b, agree, *right))
    return rows


def _logit(probability: float) -> float:
    clipped = min(max(probability, _TINY), 1 - _TINY)
    return math.log(clipped / (1 - clipped))


def _inputs(first: float | None, second: float, agree: bool) -> tuple[float, ...]:
    known = first is not None
    return (_logit(first) if known else 0.0, _logit(second), float(known), float(agree))


def _best_join(rows: Sequence[_Row], budget: float) -> Join:
    sure = [row.first.confidence for row in rows if row.first.confidence is not None]
    gates = sorted({*np.quantile(sure or [1.0], np.linspace(0.05, 1.0, _GATES)).tolist(), 1.01})
    joins = [_fit_join(rows, gate) for gate in gates]
    coverages = [_coverage(rows, join, budget) for join in joins]
    best = max(coverages)
    return next(j for j, c in zip(joins, coverages, strict=True) if c >= best - _INDIFFERENT)


def _fit_join(rows: Sequence[_Row], gate: float) -> Join:
    below = [row for row in rows if not row.stops(gate)]
    right = np.array([row.second_right for row in below], bool)
    wrong = len(right) - int(right.sum())
    if len(below) < _LEAST_ROWS or min(wrong, int(right.sum())) < _LEAST_OF_EACH:
        return Join(gate)
    inputs = np.array(
        [_inputs(r.first.confidence, r.second.confidence or 0.0, r.agree) for r in below]
    )
    # Nobody who only answers should wait for it to load.
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, max_iter=1000).fit(inputs, right)
    a, b, c, d = np.asarray(model.coef_)[0].tolist()
    return Join(gate, (a, b, c, d), float(np.ravel(model.intercept_)[0]))


def _coverage(rows: Sequence[_Row], join: Join, budget: float) -> float:
    """Return the largest share of rows answered with at most `budget` of all rows wrong."""
    guesses = [row.through(join) for row in rows]
    scores = np.array([-1.0 if g.confidence is None else g.confidence for g in guesses])
    wrong: NDArray[np.bool_] = ~np.array([row.right(join.gate) for row in rows], bool)
    order = np.argsort(-scores, kind="stable")
    errors = np.cumsum(wrong[order])
    fits = (errors <= budget * len(rows)) & (scores[order] >= 0)
    return float(np.flatnonzero(fits)[-1] + 1) / len(rows) if fits.any() else 0.0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`chain.json`: the ids of the two students, which lie in folders of their own."""

    first: str
    second: str
    join: Join


class ChainSaver(msgspec.Struct, frozen=True):
    """Saves chains; they are made of trained students, so there is no family to train."""

    name: str = "chain"

    def save(self, student: Chain, folder: Path) -> None:
        """Write the chain into an existing empty folder; its students are published already."""
        ids = (student.first.id, student.second.id)
        (folder / _FILE).write_bytes(canonical_json(_File(*ids, student.join)))


CHAIN = ChainSaver()


def load_chain(folder: Path, open_student: Callable[[str], Student]) -> Chain:
    """Load what `ChainSaver.save` wrote; `open_student` opens a student by its id.

    Raises:
        ArtefactError: the file is not a chain, or one of its students can't be opened.
    """
    try:
        read = msgspec.json.decode((folder / _FILE).read_bytes(), type=_File)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"Chain {folder.name} can't be read ({error}); train it again with `stepdown train`."
        ) from error
    return Chain(open_student(read.first), open_student(read.second), read.join)
