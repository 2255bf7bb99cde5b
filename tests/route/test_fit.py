"""Fitting: penalties shrink, folds keep a text together, calibration tells true probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.route.fit import (
    calibrate,
    calibrated_apart,
    folds_of,
    logistic_path,
    scored_apart,
)
from stepdown.route.quality import auroc, brier, calibration_error
from stepdown.route.score import calibrated


def synthetic(rows=6000, seed=0, slope=1.5):
    random = np.random.default_rng(seed)
    raw = random.normal(size=rows)
    true = 1 / (1 + np.exp(-(slope * raw - 1)))
    folds = random.integers(0, 5, rows)
    return raw, true, (random.random(rows) < true).astype(float), folds


@given(st.lists(st.text(max_size=8), min_size=1, max_size=20))
def test_one_text_lies_in_one_fold_whatever_its_case_and_spacing(texts):
    plain = folds_of(texts)
    assert (folds_of([f" {text}  " for text in texts]) == plain).all()
    assert ((plain >= 0) & (plain < 5)).all()


def test_a_stronger_penalty_has_smaller_weights_and_the_path_goes_down():
    random = np.random.default_rng(1)
    matrix = random.normal(size=(400, 6)).astype(np.float32)
    target = (matrix[:, 0] + random.normal(size=400) > 0).astype(float)
    lengths = [float(w[:-1] @ w[:-1]) for w in logistic_path(matrix, target, (1000, 100, 10))]
    assert lengths == sorted(lengths)
    weights = logistic_path(matrix, target, (1.0,))[0]
    assert int(np.argmax(np.abs(weights[:-1]))) == 0


def test_the_intercept_alone_is_the_base_rate():
    target = np.array([1.0] * 30 + [0.0] * 70)
    weights = logistic_path(np.zeros((100, 2), np.float32), target, (10.0,))[0]
    assert 1 / (1 + np.exp(-weights[-1])) == pytest.approx(0.3, abs=1e-3)


def test_out_of_fold_scores_of_shuffled_labels_are_worth_nothing():
    random = np.random.default_rng(2)
    matrix = random.normal(size=(800, 30)).astype(np.float32)
    target = (random.random(800) < 0.3).astype(float)
    raw, _ = scored_apart(matrix, target, random.integers(0, 5, 800))
    assert auroc(raw, target) < 0.57


@pytest.mark.parametrize("squeezed", [False, True])
def test_calibrated_probabilities_are_true(squeezed):
    raw, true, hard, folds = synthetic()
    # Neither the scale of a score nor, with enough rows, its shape is in the way.
    given_raw = np.cbrt(raw) * 20 if squeezed else raw * 7 + 3
    found = calibrated_apart(given_raw, hard, folds)
    assert calibration_error(found, hard) < 0.025
    assert float(np.abs(found - true).mean()) < 0.04
    assert calibrate(given_raw, hard, folds).kind == ("isotonic" if squeezed else "platt")


def test_few_rows_are_calibrated_by_the_smoother_curve():
    raw, _, hard, folds = synthetic(300)
    assert calibrate(np.cbrt(raw), hard, folds).kind == "platt"


def test_a_calibration_keeps_the_order():
    for seed in range(3):
        raw, _, hard, folds = synthetic(3000, seed)
        grid = np.linspace(-5, 5, 200)
        for shape in (raw, np.cbrt(raw)):
            assert (np.diff(calibrated(calibrate(shape, hard, folds), grid)) >= 0).all()


def test_a_score_that_is_upside_down_becomes_the_base_rate():
    raw, _, hard, folds = synthetic(1000)
    found = calibrated(calibrate(-raw[:300], hard[:300], folds[:300]), raw[:300])
    assert np.ptp(found) == pytest.approx(0.0, abs=1e-9)
    assert found[0] == pytest.approx(hard[:300].mean(), abs=0.02)
    assert brier(found, hard[:300]) < 0.26
