"""Training a linear student: plan, rehearse on held-out rows, settle, then train on everything."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from stepdown.core.datasets import Example
from stepdown.core.ports import Progress
from stepdown.core.tasks import Task
from stepdown.students.assembly import assembler_of
from stepdown.students.choice import ChoiceHead
from stepdown.students.choice_training import DEFAULT_MIX, Views, merge_views
from stepdown.students.features import Featurizer, Matrix
from stepdown.students.linear.form import Blank, Form, Scope
from stepdown.students.linear.plan import Plan, plan_of, single_calls
from stepdown.students.linear.rehearsal import (
    HeldOut,
    TrainSpans,
    calibrate,
    judge,
    rehearse_choices,
    rehearse_spans,
    settle,
    train_scope,
)
from stepdown.students.linear.rows import (
    Look,
    Rows,
    Target,
    blank_of,
    featurize,
    gather,
    targets_of,
)
from stepdown.students.linear.student import LinearStudent
from stepdown.students.linear.unlike import fit_unlike
from stepdown.students.spans import train_spans
from stepdown.students.static import StaticTable
from stepdown.students.windows.model import WindowModel
from stepdown.students.windows.training import fit_windows

__all__ = ["Learnt", "complete", "train_linear"]

_REFUSED = "There were too few examples of this tool to learn its arguments."


def _heads(
    plan: Plan, targets: Mapping[str, Target], views: Mapping[str, Views], held: HeldOut
) -> dict[str, ChoiceHead]:
    settled = {part.path for part in plan.parts if part.method == "span"}
    return {
        path: merge_views(target.labels, views[path], held.mixes.get(path, DEFAULT_MIX))
        for path, target in targets.items()
        if path not in settled
    }


def _draft_form(plan: Plan, targets: Mapping[str, Target]) -> Form:
    return Form(plan.shape, {path: target.labels for path, target in targets.items()}, {})


def _scopes(
    plan: Plan, rows: Rows, heads: Mapping[str, ChoiceHead], spans: Mapping[str, Any]
) -> dict[str, Scope]:
    """Return what is predicted in each scope; the tool itself is in none."""
    scopes: dict[str, Scope] = {}
    for scope in plan.scopes:
        if plan.shape == "tool" and not scope:
            continue
        choices = [
            part.path for part in plan.of(scope, "choice", "free", "mixed") if part.path in heads
        ]
        read: dict[str, Blank] = {
            part.path: blank_of(part, rows) for part in plan.of(scope, "span", "mixed")
        }
        if read and scope not in spans:
            scopes[scope] = Scope(tuple(choices), refused=_REFUSED)
        else:
            scopes[scope] = Scope(tuple(choices), read)
    return scopes


def _readers(plan: Plan, rows: Rows, progress: Progress, trainer: TrainSpans) -> dict[str, Any]:
    """Train a reader of spans for each scope that has any, on all of its rows."""
    everything = np.ones(len(rows.texts), bool)
    found = {
        scope: train_scope(plan, scope, rows, everything, progress, trainer)
        for scope in plan.scopes
        if plan.of(scope, "span", "mixed")
    }
    return {scope: reader for scope, reader in found.items() if reader is not None}


def train_linear(
    task: Task,
    examples: Sequence[Example],
    static: StaticTable | None,
    progress: Progress,
    look: Look | None = None,
    trainer: TrainSpans = train_spans,
) -> LinearStudent:
    """Return a student of `task` trained on the examples, with static vectors where given.

    A `look` sees more of each text, and a `trainer` makes readers of spans that do: these are what
    another family's heads are trained on.

    Raises:
        NotEnoughData: too few examples, or answers that this family can't write.
    """
    assembler_of(task)  # Whatever is wrong with the schemas is told before the training.
    examples = single_calls(examples)
    condensed = fit_windows(task.anatomy.fields, examples, progress)
    if condensed is not None:
        examples = condensed.examples
    plan = plan_of(task.anatomy, examples)
    rows = gather(plan, examples)
    targets = targets_of(plan, rows)
    progress("features", 0, 1)
    featurizer, matrix = featurize(rows, targets, static, look)
    progress("features", 1, 1)
    held, views = rehearse_choices(targets, rows, matrix, progress)
    rehearse_spans(plan, _draft_form(plan, targets), held, rows, progress, trainer)
    plan = settle(plan, targets, rows, held)
    heads = _heads(plan, targets, views, held)
    spans = _readers(plan, rows, progress, trainer)
    held = msgspec.structs.replace(held, choices={p: held.choices[p] for p in heads})
    learnt = Learnt(plan, rows, targets, featurizer, matrix, held, heads, spans)
    student = complete(task, examples, learnt, condensed.model if condensed else None)
    progress("confidence", 1, 1)
    return student


class Learnt(msgspec.Struct, frozen=True):
    """Everything that a student is put together from; `held` are its guesses for held-out rows.

    `plan` is settled: no field can be chosen or copied any more, it is one of the two.
    """

    plan: Plan
    rows: Rows
    targets: Mapping[str, Target]
    featurizer: Featurizer
    matrix: Matrix
    held: HeldOut
    heads: Mapping[str, ChoiceHead]
    spans: Mapping[str, Any]


def complete(
    task: Task, examples: Sequence[Example], learnt: Learnt, windows: WindowModel | None
) -> LinearStudent:
    """Return the student of what was learnt: its probabilities and its novelty fitted on `held`."""
    plan, rows, held = learnt.plan, learnt.rows, learnt.held
    form = Form(
        plan.shape,
        {path: head.labels for path, head in learnt.heads.items()},
        _scopes(plan, rows, learnt.heads, learnt.spans),
        calibrate(plan, rows, held),
    )
    confidence, rehearsed = judge(plan, form, rows, learnt.matrix, held)
    student = LinearStudent(
        learnt.featurizer, learnt.heads, learnt.spans, form, confidence, assembler_of(task)
    )
    student.windows = windows
    student.novelty = fit_unlike(rows, learnt.matrix, learnt.targets, held, plan.root)
    student.rehearsed = {examples[row].id: guess for row, guess in rehearsed.items()}
    return student
