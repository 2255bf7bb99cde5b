"""Training: which sentences would have made the teacher's summaries, then how to pick them."""

from collections.abc import Sequence
from itertools import product

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.datasets import Example
from stepdown.core.digests import Limits, marks, summary_of
from stepdown.core.losses import loss_of
from stepdown.core.ports import Progress, Rehearsed
from stepdown.core.tasks import Task, input_text
from stepdown.errors import NotEnoughData
from stepdown.students.extractive.picking import EVIDENCE, Picked, Rule, pick
from stepdown.students.extractive.scoring import Scorer, fit_scorer, fit_sureness
from stepdown.students.extractive.sentences import Sentence, look_at
from stepdown.students.extractive.student import ExtractiveStudent
from stepdown.students.novelty.texts import fit_texts

__all__ = ["train_extractive"]

_LEAST_EXAMPLES = 20
_FOLDS = 3
_MOST_EXAMPLES = 6_000
_RULES = tuple(
    Rule(least, alike)
    for least, alike in product((-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0), (0.5, 0.8))
)


class _Row(msgspec.Struct, frozen=True):
    """One training example: its sentences, and which of them its summary is made of."""

    example: Example
    sentences: list[Sentence]
    used: NDArray[np.bool_]
    fold: int


def train_extractive(
    task: Task, examples: Sequence[Example], progress: Progress
) -> ExtractiveStudent:
    """Return a student of a task whose answers are summaries.

    Raises:
        NotEnoughData: fewer than 20 examples have a summary.
    """
    limits = summary_of(task.anatomy)
    if limits is None:
        raise NotEnoughData("The answers of this task are no summaries; audit its calls again.")
    known = [e for e in examples if e.known and isinstance(e.record.get(""), str)]
    if len(known) < _LEAST_EXAMPLES:
        raise NotEnoughData(
            f"There are {len(known)} usable training examples and at least {_LEAST_EXAMPLES} are "
            "needed; collect or label more calls of this task."
        )
    rows = _rows(known[:: -(-len(known) // _MOST_EXAMPLES)], limits, progress)
    scores = _held_out(rows, progress)
    rule, picks, losses = _best_rule(task, rows, scores, limits)
    evidence = np.array([_evidence(found) for found in picks])
    answered = np.array([found is not None for found in picks])
    sureness = fit_sureness(evidence[answered], losses[answered])
    student = ExtractiveStudent(limits, _fit(rows), rule, sureness, fit_texts(examples))
    student.rehearsed = {
        row.example.id: Rehearsed({"": found.text}, sureness(found.evidence))
        if found is not None
        else Rehearsed({}, None)
        for row, found in zip(rows, picks, strict=True)
    }
    return student


def _rows(examples: Sequence[Example], limits: Limits, progress: Progress) -> list[_Row]:
    rows: list[_Row] = []
    for at, example in enumerate(examples, 1):
        sentences = look_at(input_text(example.input))
        used = _used(sentences, str(example.record[""]), limits)
        rows.append(_Row(example, sentences, used, example.kin % _FOLDS))
        progress("reading", at, len(examples))
    return rows


def _used(sentences: Sequence[Sentence], summary: str, limits: Limits) -> NDArray[np.bool_]:
    """Say of each sentence whether it is among those that carry most of the summary.

    Greedy: the sentence that adds the most for its length comes next, while any adds and fits.
    """
    used = np.zeros(len(sentences), bool)
    wanted, room = marks(summary), limits.longest
    while True:
        gains = [
            len(one.told & wanted) / (10 + len(one.text))
            if not used[at] and len(one.text) <= room
            else 0.0
            for at, one in enumerate(sentences)
        ]
        best = int(np.argmax(gains)) if gains else 0
        if not gains or gains[best] <= 0:
            return used
        used[best] = True
        wanted = wanted - sentences[best].told
        room -= len(sentences[best].text) + 1


def _fit(rows: Sequence[_Row]) -> Scorer:
    sentences = [one for row in rows for one in row.sentences]
    return fit_scorer(sentences, np.concatenate([row.used for row in rows]))


def _held_out(rows: Sequence[_Row], progress: Progress) -> list[NDArray[np.float64]]:
    """Return the scores of each row's sentences by a scorer that has not seen the row."""
    scorers: dict[int, Scorer] = {}
    for fold in range(_FOLDS):
        others = [row for row in rows if row.fold != fold]
        scorers[fold] = _fit(others or rows)
        progress("scoring", fold + 1, _FOLDS)
    return [scorers[row.fold](row.sentences) for row in rows]


def _best_rule(
    task: Task, rows: Sequence[_Row], scores: Sequence[NDArray[np.float64]], limits: Limits
) -> tuple[Rule, list[Picked | None], NDArray[np.float64]]:
    """Return the rule that loses least on held-out scores, with its picks and their losses."""
    loss = loss_of(task.anatomy)
    best: tuple[Rule, list[Picked | None], NDArray[np.float64]] | None = None
    for rule in _RULES:
        picks = [
            pick(row.sentences, found, limits.longest, rule) if row.sentences else None
            for row, found in zip(rows, scores, strict=True)
        ]
        losses = np.array(
            [
                1.0 if found is None else loss({"": found.text}, row.example)
                for row, found in zip(rows, picks, strict=True)
            ]
        )
        if best is None or losses.mean() < best[2].mean() - 1e-9:
            best = rule, picks, losses
    if best is None:
        raise AssertionError("there is a rule")
    return best


def _evidence(found: Picked | None) -> NDArray[np.float64]:
    return np.zeros(EVIDENCE) if found is None else found.evidence
