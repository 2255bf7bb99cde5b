"""Training of choice heads: classes that agree as answers, folded weights, honest mixes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from stepdown.core.tasks import Segment
from stepdown.students import choice_training
from stepdown.students.choice import ABSENT, FREE, best_of
from stepdown.students.choice_training import (
    DEFAULT_MIX,
    Mix,
    fit_mix,
    fit_views,
    index_labels,
    long_tailed,
    merge_views,
    softmax,
)
from stepdown.students.features import Featurizer, Matrix


def test_values_that_agree_are_one_class_in_the_commonest_spelling():
    labels, classes = index_labels(["b", "a ", "a ", "a", 1, 1.0, 1, True, FREE])
    assert labels.values[:2] == ("a ", 1)
    assert classes.tolist()[:4] == [classes[0], 0, 0, 0]
    assert len(set(classes.tolist())) == 5


@pytest.mark.parametrize(
    ("nulls", "absents", "kept"), [(3, 2, None), (2, 3, ABSENT), (1, 1, ABSENT)]
)
def test_null_and_absent_are_one_class_as_the_teacher_mostly_writes(nulls, absents, kept):
    labels, classes = index_labels(["x"] * 9 + [None] * nulls + [ABSENT] * absents)
    assert labels.values == ("x", kept)
    assert type(labels.values[1]) is type(kept)
    assert classes.tolist() == [0] * 9 + [1] * (nulls + absents)


@given(st.lists(st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2), min_size=1))
def test_every_value_is_of_its_class(values):
    labels, classes = index_labels(values)
    assert len(classes) == len(values)
    counts = np.bincount(classes, minlength=len(labels))
    assert (np.diff(counts) <= 0).all()
    for value, index in zip(values, classes, strict=True):
        known = labels.values[index]
        if isinstance(value, str):
            assert known.strip() == value.strip()
        elif value is not None:
            assert (known, type(known)) == (value, type(value))


WORDS = {
    "pay": "invoice money charge bill",
    "ship": "parcel courier box late",
    "tech": "bug crash app",
}


class Vectors:
    """Stands for the static table: a random but fixed vector for each word."""

    size = 8

    def embed(self, tokens):
        total = np.zeros(8, np.float32)
        for token in tokens:
            total += np.random.default_rng(sum(map(ord, token))).normal(size=8).astype(np.float32)
        return total / np.float32(np.linalg.norm(total) or 1)


@pytest.fixture(scope="module", params=[True, False], ids=["static", "ngrams alone"])
def task(request):
    random = np.random.default_rng(1)
    labels = [str(label) for label in random.choice(list(WORDS), 150)]
    inputs = [
        (Segment("user", " ".join(random.choice([*WORDS[label].split(), "the", "my"], 5))),)
        for label in labels
    ]
    featurizer = Featurizer.fit(inputs, 2000, Vectors() if request.param else None)
    return inputs, labels, featurizer, featurizer.matrix(inputs)


def head_of(task, mix=DEFAULT_MIX):
    _, values, _, matrix = task
    labels, classes = index_labels(values)
    return merge_views(labels, fit_views(matrix, classes, len(labels)), mix), classes


def test_the_folded_head_decides_as_scikit_learn_does(task):
    inputs, _, featurizer, matrix = task
    mix = Mix(2.0, 0.5)
    head, classes = head_of(task, mix)
    columns = np.hstack([matrix.sparse.toarray(), matrix.dense]).astype(np.float64)
    machine = LinearSVC(
        C=choice_training._SVM_C, tol=choice_training._SVM_TOLERANCE, random_state=0
    )
    expected = mix.machine * machine.fit(columns, classes).decision_function(columns)
    if matrix.dense.shape[1]:
        model = LogisticRegression(C=choice_training._STATIC_C, tol=1e-3)
        expected += mix.static * model.fit(matrix.dense, classes).decision_function(matrix.dense)
    found = np.array([head.logits(featurizer.extract(given_input)) for given_input in inputs])
    assert np.allclose(found, expected, atol=0.02)
    assert (found.argmax(1) == expected.argmax(1)).all()
    assert (found.argmax(1) == classes).mean() > 0.95


def test_one_input_is_decided_as_many_are(task):
    inputs, _, featurizer, matrix = task
    _, classes = head_of(task)
    labels, _ = index_labels(task[1])
    views = fit_views(matrix, classes, len(labels))
    machine, static = views.decide(matrix)
    head = merge_views(labels, views, Mix(1.5, 0.7))
    found = np.array([head.logits(featurizer.extract(given_input)) for given_input in inputs])
    assert np.allclose(found, 1.5 * machine + 0.7 * static, atol=1e-4)


def test_the_same_rows_give_the_same_bytes(task):
    first, second = (head_of(task)[0] for _ in range(2))
    for part in ("ngrams", "dense", "bias"):
        assert getattr(first, part).tobytes() == getattr(second, part).tobytes()
        assert getattr(first, part).dtype == np.float32


def test_two_classes_have_a_column_each(task):
    _, values, _, matrix = task
    _, classes = index_labels([value == "pay" for value in values])
    machine, static = fit_views(matrix, classes, 2).decide(matrix)
    assert np.allclose(machine[:, 0], -machine[:, 1], atol=1e-5)
    assert (machine.argmax(1) == classes).mean() > 0.95
    assert static.shape == (150, 2)


def test_a_class_without_rows_is_never_chosen(task):
    matrix = task[3]
    _, classes = index_labels(task[1])
    machine, static = fit_views(
        matrix.take(np.flatnonzero(classes < 2)), classes[classes < 2], 3
    ).decide(matrix)
    assert (machine[:, 2] == -np.inf).all()
    assert np.isfinite(static).all()
    chosen = best_of(machine[0] + static[0])
    assert chosen.index < 2
    assert np.isfinite([chosen.probability, chosen.log_ratio, chosen.entropy]).all()


@pytest.mark.parametrize("rows", [0, 5])
def test_fewer_than_two_seen_classes_need_no_model(task, rows):
    matrix = task[3]
    machine, _ = fit_views(matrix.take(np.arange(rows)), np.zeros(rows, np.intp), 3).decide(matrix)
    assert machine[0].argmax() == 0
    assert np.isfinite(best_of(machine[0]).probability)


def test_one_class_is_certain_and_has_no_weights(task):
    inputs, _, featurizer, matrix = task
    labels, classes = index_labels(["only"] * 150)
    head = merge_views(labels, fit_views(matrix, classes, 1), DEFAULT_MIX)
    assert head.ngrams.size == 0
    assert head.choose(featurizer.extract(inputs[0])).probability == 1.0


def test_the_mix_calibrates_held_out_rows():
    random = np.random.default_rng(0)
    truth = random.normal(size=(4000, 5)) * 2
    target = np.array([random.choice(5, p=row) for row in softmax(truth)])
    mix = fit_mix(truth / 4, np.zeros_like(truth), target)
    assert mix.machine == pytest.approx(4, rel=0.1)


def test_the_mix_prefers_the_view_that_knows():
    random = np.random.default_rng(0)
    target = random.integers(0, 3, 500)
    knows = np.eye(3)[target] + random.normal(size=(500, 3))
    mix = fit_mix(random.normal(size=(500, 3)), knows, target)
    assert mix.static > 5 * mix.machine


def test_without_usable_rows_the_mix_is_the_default():
    nothing = np.zeros((0, 3))
    assert fit_mix(nothing, nothing, np.zeros(0, np.intp)) == DEFAULT_MIX
    unseen = np.array([[0.0, -np.inf]])
    assert fit_mix(unseen, np.zeros((1, 2)), np.array([1])) == DEFAULT_MIX


def test_perfectly_separated_rows_keep_finite_weights():
    target = np.arange(100) % 2
    mix = fit_mix(np.eye(2)[target] * 2 - 1, np.zeros((100, 2)), target)
    assert 0 < mix.machine <= 50


def test_a_long_tail_is_told_from_even_classes():
    assert long_tailed(np.repeat([0, 1], [90, 30]))
    assert not long_tailed(np.repeat([0, 1], [80, 30]))
    assert not long_tailed(np.zeros(50, np.intp))
    assert long_tailed(np.repeat(np.arange(8), [60, 60, 60, 60, 60, 60, 20, 20]))


def test_rare_classes_are_weighed_up():
    chance = np.random.default_rng(0)
    target = np.repeat([0, 1], [380, 20])
    # One feature that both classes have, a little oftener the rare one.
    columns = sparse.csr_matrix(np.c_[chance.normal(target * 1.2, 1.0), np.ones(400)])
    nothing = np.zeros(400, np.float32)
    matrix = Matrix(columns, np.zeros((400, 0), np.float32), nothing.astype(np.int32), nothing)
    plain, weighed = (
        fit_views(matrix, target, 2, balanced=flag).decide(matrix)[0].argmax(axis=1)
        for flag in (False, True)
    )
    assert (weighed[target == 1] == 1).mean() > (plain[target == 1] == 1).mean() + 0.3
