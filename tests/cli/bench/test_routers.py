"""Nearest neighbours, intervals of differences, and what they are called."""

import numpy as np

from stepdown.cli.bench.routers import nearest, redrawn, verdict


def test_the_nearest_come_first():
    random = np.random.default_rng(0)
    known = random.normal(size=(700, 5)).astype(np.float32)
    asked = random.normal(size=(1100, 5)).astype(np.float32)
    found = nearest(asked, known, 3)
    assert found.shape == (1100, 3)
    assert (found == np.argsort(-(asked @ known.T), axis=1)[:, :3]).all()


def test_the_interval_is_of_the_measure():
    values = np.random.default_rng(0).normal(2.0, 1.0, 400)
    low, high = redrawn(len(values), lambda rows: float(values[rows].mean()))
    assert low < values.mean() < high
    assert 0.1 < high - low < 0.3


def test_a_difference_is_told_in_words():
    assert verdict(0.01, 0.2, "kNN") == "better than kNN"
    assert verdict(-0.2, -0.01, "kNN") == "worse than kNN"
    assert verdict(-0.1, 0.1, "kNN").startswith("not better than kNN")
