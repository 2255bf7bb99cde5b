"""A score by hand: one dot product and a calibration; nothing that it can't say is a number."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.route.features import GRAMS, SHAPE
from stepdown.route.rows import prompted
from stepdown.route.score import Calibration, Score, calibrated, inputs_of

SIZE = len(SHAPE) + GRAMS + 1
PLAIN = Calibration("platt", (1.0, 0.0))


def a_score(weights, calibration=PLAIN):
    means = np.full(len(SHAPE), 0.5, np.float32)
    scales = np.full(len(SHAPE), 2.0, np.float32)
    return Score(weights.astype(np.float32), (means, scales), calibration)


@given(st.text(max_size=80), st.integers(0, 5))
def test_it_is_the_logistic_of_the_standardised_features(text, seed):
    weights = np.random.default_rng(seed).normal(size=SIZE) / 10
    features = inputs_of(prompted(text), None).astype(float)
    features[: len(SHAPE)] = (features[: len(SHAPE)] - 0.5) / 2.0
    wanted = 1 / (1 + math.exp(-(features @ weights[:-1] + weights[-1])))
    assert a_score(weights)(prompted(text)) == pytest.approx(wanted, rel=1e-3)


def test_what_can_t_be_scored_is_unknown():
    assert a_score(np.full(SIZE, np.nan))(prompted("hello")) is None


@given(st.floats(-1e6, 1e6))
def test_every_raw_score_has_a_probability(raw):
    isotonic = Calibration("isotonic", (-1.0, 0.0, 2.0), (0.1, 0.3, 0.9))
    for calibration in (PLAIN, isotonic):
        assert 0.0 <= float(calibrated(calibration, raw)) <= 1.0
    assert 0.1 <= float(calibrated(isotonic, raw)) <= 0.9
