"""Fitted confidence: calibrated, monotone, and silent where rows say little."""

import math

import numpy as np
import pytest

from stepdown.core.datasets import Example
from stepdown.students.confidence import Evidence, Platt
from stepdown.students.confidence_training import fit_confidence, fit_platt, held_out


def evidence(*probabilities, known=1.0, root=-1, words=5):
    return Evidence(probabilities, 1.0, 0.5, words, known, 1, root)


def population(rows=3000, seed=0):
    """Return rows of two roots: root 1 is right half as often as its probability says."""
    random = np.random.default_rng(seed)
    found, right = [], []
    for _ in range(rows):
        probability, root = float(random.uniform(0.4, 1)), int(random.integers(2))
        found.append(evidence(probability, root=root))
        right.append(bool(random.random() < probability * (0.5 if root else 1)))
    return found, right


def test_what_is_held_out_shares_no_group_with_what_trains():
    rows = [Example(str(at), (), {}, group=f"g{at // 3}") for at in range(3000)]
    held, train = held_out(rows, 10_000)
    assert sorted(int(row.id) for row in (*held, *train)) == list(range(3000))
    assert not {row.group for row in held} & {row.group for row in train}
    assert 350 < len(held) < 650
    few, same = held_out(rows, 240)
    assert (few, same) == (held[:240], train)


def test_the_score_is_calibrated_and_knows_the_bad_class():
    confidence = fit_confidence(*population(), classes=2)
    rows, right = population(seed=1)
    scores = np.array([confidence(row) for row in rows])
    for root in (0, 1):
        inside = np.array([row.root == root for row in rows])
        assert scores[inside].mean() == pytest.approx(np.array(right)[inside].mean(), abs=0.04)
    assert confidence(evidence(0.9, root=1)) < confidence(evidence(0.9, root=0))


def test_the_score_grows_with_the_probability():
    confidence = fit_confidence(*population(), classes=2)
    scores = [confidence(evidence(p / 10, root=0)) for p in range(4, 10)]
    assert scores == sorted(scores)


@pytest.mark.parametrize("right", [[True] * 100, [False] * 100, [True, False] * 20])
def test_rows_that_say_little_leave_the_product(right):
    confidence = fit_confidence([evidence(0.7)] * len(right), right, 0)
    assert confidence.weights == ()


def test_constant_inputs_get_no_weight():
    random = np.random.default_rng(0)
    rows = [evidence(float(p)) for p in random.uniform(0.1, 1, 500)]
    right = [bool(random.random() < row.product) for row in rows]
    confidence = fit_confidence(rows, right, 0)
    assert confidence.weights[4:7] == (0, 0, 0)
    assert all(map(math.isfinite, confidence.weights))


def test_platt_corrects_overconfidence():
    random = np.random.default_rng(0)
    truth = random.uniform(0.05, 0.95, 4000)
    right = (random.random(4000) < truth).tolist()
    told = 1 / (1 + (1 / truth - 1) ** 3)
    platt = fit_platt(told.tolist(), right)
    assert platt.slope == pytest.approx(1 / 3, rel=0.1)
    assert platt(float(told[0])) == pytest.approx(truth[0], abs=0.05)


@pytest.mark.parametrize(
    ("probabilities", "right"),
    [([0.5] * 10, [True] * 10), ([0.9] * 100, [True] * 100), ([0.1, 0.9] * 50, [True, False] * 50)],
    ids=["few rows", "all right", "upside down"],
)
def test_platt_changes_nothing_without_reason(probabilities, right):
    assert fit_platt(probabilities, right) == Platt()
