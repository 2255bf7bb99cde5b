"""Rehearsal: held-out guesses that no model was trained on, and what is settled by them."""

import numpy as np
import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.ports import silent
from stepdown.students.choice import Choice
from stepdown.students.confidence import Platt
from stepdown.students.linear import rehearsal
from stepdown.students.linear.form import Form, Scope
from stepdown.students.linear.plan import plan_of
from stepdown.students.linear.rehearsal import (
    HeldOut,
    calibrate,
    fit_all,
    judge,
    rehearse_choices,
    rehearse_spans,
    settle,
    train_scope,
)
from stepdown.students.linear.rows import featurize, gather, targets_of
from stepdown.students.spans import SpanGuess


@pytest.fixture(scope="module")
def setting(tasks, examples):
    plan = plan_of(tasks["tool"].anatomy, examples["tool"])
    rows = gather(plan, examples["tool"])
    targets = targets_of(plan, rows)
    return plan, rows, targets, featurize(rows, targets, None)[1]


@pytest.fixture(scope="module")
def rehearsed(setting):
    plan, rows, targets, matrix = setting
    held, views = rehearse_choices(targets, rows, matrix, silent)
    form = Form(plan.shape, {path: target.labels for path, target in targets.items()}, {})
    rehearse_spans(plan, form, held, rows, silent)
    return held, views, form


def test_jobs_run_and_are_told_of():
    told = []
    done = fit_all({"a": lambda: 1, "b": lambda: 2}, lambda *step: told.append(step), "heads")
    assert done == {"a": 1, "b": 2}
    assert told == [("heads", 1, 2), ("heads", 2, 2)]


def test_a_failing_job_is_not_lost():
    with pytest.raises(ZeroDivisionError):
        fit_all({"a": lambda: 1 / 0}, silent, "heads")


def test_every_row_is_guessed_when_there_are_few(setting, rehearsed):
    held, views, _ = rehearsed
    assert held.choices.keys() == views.keys() == setting[2].keys()
    assert all(by_row.keys() == set(range(300)) for by_row in held.choices.values())
    assert held.guesses.keys() == set(range(300))


def test_many_rows_are_guessed_in_part(setting, monkeypatch):
    _, rows, targets, matrix = setting
    monkeypatch.setattr(rehearsal, "_ENOUGH_ROWS", 50)
    held, _ = rehearse_choices(targets, rows, matrix, silent)
    assert held.choices["/tool"].keys() == set(np.flatnonzero(rows.folds == 0).tolist())


def test_a_guess_does_not_know_its_own_answer(setting):
    """Labels drawn by lot can't be guessed by a model that has not seen them."""
    _, rows, targets, matrix = setting
    lot = np.random.default_rng(0).integers(0, 2, 300)
    target = rehearsal.Target("/lot", type(targets["/tool"].labels)((0, 1)), np.arange(300), lot)
    held, _ = rehearse_choices({"/lot": target}, rows, matrix, silent)
    right = [held.choices["/lot"][row].index == lot[row] for row in range(300)]
    assert np.mean(right) < 0.62


def test_spans_are_guessed_in_the_chosen_scope(rehearsed):
    held, _, form = rehearsed
    for row, guesses in held.guesses.items():
        tool = form.tool({"/tool": held.choices["/tool"][row]})
        assert all(path.startswith(f"/{tool}/") for path in guesses)


def choice(index):
    return Choice(index, 0.9, 2.0, 0.1)


@pytest.mark.parametrize(("copied", "method"), [("Rome", "span"), ("Oslo", "choice")])
def test_a_field_is_chosen_or_copied_by_agreement(make_rows, copied, method):
    plan, rows, targets = make_rows
    wrong = targets["/city"].labels.values.index("Oslo")
    held = HeldOut(
        {"/city": dict.fromkeys(range(40), choice(wrong))},
        {},
        {row: {"/city": SpanGuess(copied, 0.5)} for row in range(40)},
    )
    assert settle(plan, targets, rows, held).parts[0].method == method


def test_a_span_that_cannot_be_read_counts_as_wrong(make_rows):
    plan, rows, targets = make_rows
    right = targets["/city"].labels.values.index("Rome")
    held = HeldOut(
        {"/city": dict.fromkeys(range(40), choice(right))},
        {},
        {row: {"/city": SpanGuess("Rome", 0.5, failed=True)} for row in range(40)},
    )
    assert settle(plan, targets, rows, held).parts[0].method == "choice"


@pytest.fixture
def make_rows():
    from stepdown.core.datasets import Example
    from stepdown.core.tasks import Segment

    records = [{"/city": "Rome"}] * 38 + [{"/city": "Oslo"}] * 2
    examples = [
        Example(f"e{at}", (Segment("user", "to Rome"),), record)
        for at, record in enumerate(records)
    ]
    field = Field("/city", "choice", distinct=2, count=40, aligned=0.9)
    plan = plan_of(Anatomy("json", (field,), 40, 1.0, 1.0), examples)
    rows = gather(plan, examples)
    return plan, rows, targets_of(plan, rows)


def test_span_probabilities_are_calibrated_on_rows_of_the_scope(make_rows):
    plan, rows, _ = make_rows
    plan = plan.decided({"/city": "span"})
    guesses = {row: {"/city": SpanGuess("Rome", 0.5)} for row in range(40)}
    assert calibrate(plan, rows, HeldOut({}, {}, guesses)) == {"/city": Platt()}


def test_a_tool_with_few_rows_has_no_span_model(setting):
    plan, rows, _, _ = setting
    keep = np.zeros(300, bool)
    keep[rows.of("cancel")[:5]] = True
    assert train_scope(plan, "cancel", rows, keep, silent) is None


def test_the_confidence_is_fitted_on_answerable_rows(setting, rehearsed):
    plan, rows, _, matrix = setting
    held, _, draft = rehearsed
    scopes = {
        "book": Scope(("/book/seats", "/book/by"), {"/book/city": "never"}),
        "cancel": Scope((), {"/cancel/city": "never"}),
        "mail": Scope(("/mail/body",)),
    }
    form = Form(draft.shape, draft.labels, scopes)
    confidence, rehearsed = judge(plan, form, rows, matrix, held)
    assert 0 < confidence.least_known <= 1
    assert set(rehearsed) <= set(held.choices["/tool"])
    free = [guess for guess in rehearsed.values() if guess.record.get("/tool") == "mail"]
    assert free
    assert all(guess.confidence is None for guess in free if "/mail/body" in plan_paths(plan))
    sure = [guess.confidence for guess in rehearsed.values() if guess.confidence is not None]
    assert sure
    assert all(0 <= confidence <= 1 for confidence in sure)


def plan_paths(plan):
    return {part.path for part in plan.parts if part.method == "free"}
