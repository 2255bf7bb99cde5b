"""Rehearsal: heads and spans trained on some folds guess the others, as they will guess new inputs.

What is learnt from these held-out guesses: how the two views of a head are weighted, whether a
field is chosen or copied, how far a probability can be believed, and when a whole record is right.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.ports import Progress, Rehearsed
from stepdown.core.records import same_record, same_value
from stepdown.errors import NotEnoughData
from stepdown.students.choice import ABSENT, Choice, best_of
from stepdown.students.choice_training import Mix, Views, fit_mix, fit_views
from stepdown.students.confidence import Confidence, Platt
from stepdown.students.confidence_training import fit_confidence, fit_platt
from stepdown.students.features import Features, Matrix
from stepdown.students.linear.form import Draft, Form, compose
from stepdown.students.linear.plan import Method, Plan
from stepdown.students.linear.rows import FOLDS, Rows, Target
from stepdown.students.spans import SpanField, SpanGuess, train_spans

__all__ = [
    "HeldOut",
    "Reader",
    "TrainSpans",
    "calibrate",
    "fit_all",
    "judge",
    "rehearse_choices",
    "rehearse_spans",
    "settle",
    "train_scope",
]

_ENOUGH_ROWS = 4_000
"""Held-out rows that fix a handful of weights well enough; more folds would only cost time."""
_MOST_SPAN_ROWS = 1_500
_MOST_SPAN_CHARS = 1_500_000
_FEW_ROWS = 10

Fit = Callable[[], Any]


class HeldOut(msgspec.Struct):
    """Guesses for rows that the guessing models were not trained on.

    `choices[path]` maps rows to the head's decision, for every row of the rehearsed folds;
    `guesses[row]` are the span guesses in the scope that was chosen for the row.
    """

    choices: dict[str, dict[int, Choice]]
    mixes: dict[str, Mix]
    guesses: dict[int, dict[str, SpanGuess]]


def fit_all(jobs: Mapping[Any, Fit], progress: Progress, stage: str) -> dict[Any, Any]:
    """Run the jobs side by side, on all cores, and return their results by key."""
    done: dict[Any, Any] = {}
    with ThreadPoolExecutor(cpu_count() or 1) as pool:
        waiting = {key: pool.submit(job) for key, job in jobs.items()}
        for key, future in waiting.items():
            done[key] = future.result()
            progress(stage, len(done), len(jobs))
    return done


def head_job(
    target: Target, matrix: Matrix, keep: NDArray[np.bool_] | None = None
) -> Callable[[], Views]:
    """Return the job that trains a head's views on its rows, or on those of them to `keep`."""

    def job() -> Views:
        rows, classes, weights = target.examples(keep)
        width = len(target.labels)
        return fit_views(matrix.take(rows), classes, width, weights, balanced=target.balanced)

    return job


def _rehearsed_folds(rows: Rows) -> list[int]:
    """Return the folds to guess: as few as hold enough rows."""
    return list(range(min(FOLDS, -(-_ENOUGH_ROWS * FOLDS // len(rows.texts)))))


def rehearse_choices(
    targets: Mapping[str, Target], rows: Rows, matrix: Matrix, progress: Progress
) -> tuple[HeldOut, dict[str, Views]]:
    """Let every head guess the rows of other folds; return that, and the heads trained on all."""
    folds = _rehearsed_folds(rows)

    def rehearsal(target: Target, fold: int) -> Fit:
        train = head_job(target, matrix, rows.folds != fold)
        held = matrix.take(np.flatnonzero(rows.folds == fold))
        return lambda: train().decide(held)

    jobs: dict[Any, Fit] = {path: head_job(target, matrix) for path, target in targets.items()}
    for path, target in targets.items():
        if len(target.labels) > 1:
            jobs.update({(path, fold): rehearsal(target, fold) for fold in folds})
    done = fit_all(jobs, progress, "heads")
    held_rows = [np.flatnonzero(rows.folds == fold) for fold in folds]
    order = np.concatenate(held_rows)
    held = HeldOut({}, {}, {})
    for path, target in targets.items():
        if len(target.labels) == 1:
            held.choices[path] = dict.fromkeys(order.tolist(), Choice(0, 1.0, 20.0, 0.0))
            continue
        machine, static = (np.concatenate([done[path, f][v] for f in folds]) for v in (0, 1))
        held.mixes[path] = mix = _mix(target, order, machine, static)
        logits = mix.machine * machine + mix.static * static
        held.choices[path] = dict(zip(order.tolist(), map(best_of, logits), strict=True))
    return held, {path: done[path] for path in targets}


def _mix(
    target: Target, order: NDArray[np.intp], machine: NDArray[Any], static: NDArray[Any]
) -> Mix:
    place = {row: at for at, row in enumerate(order.tolist())}
    pairs = [
        (place[row], index)
        for row, index in zip(target.rows.tolist(), target.classes.tolist(), strict=True)
        if row in place
    ]
    if not pairs:
        return fit_mix(machine[:0], static[:0], np.zeros(0, np.intp))
    at, classes = np.array(pairs, np.intp).T
    return fit_mix(machine[at], static[at], classes)


class Reader(Protocol):
    """What reads spans: a span model, or one that looks at more than words."""

    @property
    def fields(self) -> tuple[SpanField, ...]:
        """All fields."""
        ...

    def predict(self, text: str) -> dict[str, SpanGuess]:
        """Return a guess for every field: path → guess."""
        ...


TrainSpans = Callable[..., Any]
"""As `train_spans`: (texts, records, fields, progress) → a Reader; raises NotEnoughData."""


def train_scope(
    plan: Plan,
    scope: str,
    rows: Rows,
    keep: NDArray[np.bool_],
    progress: Progress,
    trainer: TrainSpans = train_spans,
) -> Any:
    """Train one scope's Reader on its rows to `keep`; None where a tool has too few.

    Raises:
        NotEnoughData: the scope is the whole record, and none of its values stands in an input.
    """
    fields = [part.field for part in plan.of(scope, "span", "either", "mixed")]
    inside = rows.of(scope)
    inside = inside[keep[inside]]
    if plan.shape == "tool" and len(inside) < _FEW_ROWS:
        return None
    paths = {field.path for field in fields}
    records = [{p: v for p, v in rows.records[at].items() if p in paths} for at in inside]
    try:
        return trainer([rows.texts[at] for at in inside], records, fields, progress)
    except NotEnoughData:
        if plan.shape == "tool":
            return None
        raise


def rehearse_spans(
    plan: Plan,
    form: Form,
    held: HeldOut,
    rows: Rows,
    progress: Progress,
    trainer: TrainSpans = train_spans,
) -> None:
    """Let span models guess rows of other folds, in the scope chosen for each, into `held`."""
    scopes = [scope for scope in plan.scopes if plan.of(scope, "span", "either", "mixed")]
    small = len(rows.texts) <= _MOST_SPAN_ROWS
    small = small and sum(map(len, rows.texts)) <= _MOST_SPAN_CHARS
    folds = range(FOLDS) if small else [0]
    for fold in folds:
        keep = rows.folds != fold
        models: dict[str, Reader | None] = {
            scope: train_scope(plan, scope, rows, keep, progress, trainer) for scope in scopes
        }
        for row in np.flatnonzero(~keep).tolist():
            choices = {path: by_row[row] for path, by_row in held.choices.items() if row in by_row}
            if plan.shape == "tool" and "/tool" not in choices:
                continue
            scope = (form.tool(choices) or "") if plan.shape == "tool" else ""
            model = models.get(scope)
            held.guesses[row] = model.predict(rows.texts[row]) if model else {}


def settle(plan: Plan, targets: Mapping[str, Target], rows: Rows, held: HeldOut) -> Plan:
    """Decide the fields that can be chosen or copied by which guess agreed more often."""
    methods: dict[str, Method] = {}
    for part in plan.parts:
        if part.method != "either":
            continue
        target, wins = targets.get(part.path), 0
        choices = held.choices.get(part.path, {})
        for row in target.rows.tolist() if target else ():
            guess = held.guesses.get(row, {}).get(part.path)
            if target is None or guess is None or row not in choices:
                continue
            value = rows.records[row].get(part.path)
            chosen = target.labels.values[choices[row].index]
            wins += same_value(None if chosen == ABSENT else chosen, value)
            wins -= same_value(guess.value, value) and not guess.failed
        methods[part.path] = "span" if wins < 0 else "choice"
    return plan.decided(methods)


def calibrate(plan: Plan, rows: Rows, held: HeldOut) -> dict[str, Platt]:
    """Return each span field's calibration, from the held-out rows of its scope."""
    platts: dict[str, Platt] = {}
    for part in plan.parts:
        if part.method not in ("span", "mixed"):
            continue
        pairs = [
            (guess.probability, same_value(guess.value, rows.records[row].get(part.path)))
            for row in rows.of(part.scope).tolist()
            if (guess := held.guesses.get(row, {}).get(part.path)) is not None
        ]
        platts[part.path] = fit_platt([p for p, _ in pairs], [right for _, right in pairs])
    return platts


def judge(
    plan: Plan, form: Form, rows: Rows, matrix: Matrix, held: HeldOut
) -> tuple[Confidence, dict[int, Rehearsed]]:
    """Fit the record's confidence on the held-out rows that the student would answer.

    With it comes what the student would have said to each held-out row.
    """
    drafts = _drafts(plan, form, held)
    evidence = {
        row: draft.evidence(_seen(matrix, row))
        for row, draft in drafts.items()
        if not draft.abstained
    }
    right = [
        bool(rows.known[row]) and same_record(drafts[row].record, rows.records[row])
        for row in evidence
    ]
    root = plan.root
    classes = len(form.labels[root].values) if root is not None else 0
    confidence = fit_confidence(list(evidence.values()), right, classes)
    return confidence, {
        row: Rehearsed(draft.record, confidence(evidence[row]) if row in evidence else None)
        for row, draft in drafts.items()
    }


def _seen(matrix: Matrix, row: int) -> Features:
    """Return what the confidence asks of a row's features."""
    ids, empty = np.zeros(0, np.intp), np.zeros(0, np.float32)
    return Features(ids, empty, empty, int(matrix.words[row]), float(matrix.known[row]))


def _drafts(plan: Plan, form: Form, held: HeldOut) -> dict[int, Draft]:
    """Return the record in the making of every held-out row that all models needed have guessed."""
    drafts: dict[int, Draft] = {}
    for row in _judged(form, held):
        choices = {path: by_row[row] for path, by_row in held.choices.items()}
        tool = form.tool(choices) if plan.shape == "tool" else None
        guesses = held.guesses.get(row, {})
        needed = form.scopes[tool or ""].spans if (tool or "") in form.scopes else {}
        if any(path not in guesses for path in needed):
            continue
        drafts[row] = draft = compose(form, tool, choices, guesses)
        if plan.shape == "tool" and tool is None:
            draft.abstained = draft.abstained or "No tool is called."
    return drafts


def _judged(form: Form, held: HeldOut) -> list[int]:
    """Return the rows that every model needed has guessed."""
    rows = [set(by_row) for by_row in held.choices.values()]
    if any(scope.spans for scope in form.scopes.values()):
        rows.append(set(held.guesses))
    return sorted(set.intersection(*rows)) if rows else []
