"""Distances to centres: classes have their own, many rows have more, and a sketch keeps angles."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.novelty.nearness import SKETCH, distance, fit_centres, sketch, unit_rows


def cluster(direction, rows, seed):
    noise = np.random.default_rng(seed).normal(scale=0.05, size=(rows, 8))
    return unit_rows(np.eye(8)[direction] + noise)


def test_each_class_has_a_centre_and_rows_without_a_class_have_none():
    rows = np.concatenate([cluster(at, 20, at) for at in range(3)])
    classes = np.repeat([0, 1, -1], 20)
    centres = fit_centres(rows, classes)
    assert centres.shape == (2, 8)
    near, far = distance(np.eye(8)[0], centres), distance(np.eye(8)[2], centres)
    assert near < 0.01 < 0.8 < far


def test_a_class_of_two_kinds_gets_a_centre_for_each_kind():
    rows = np.concatenate([cluster(0, 100, 0), cluster(1, 100, 1)])
    centres = fit_centres(rows, np.zeros(200, np.intp))
    assert len(centres) == 8
    assert max(distance(np.eye(8)[at], centres) for at in (0, 1)) < 0.01


def test_without_classes_all_rows_are_one():
    rows = np.concatenate([cluster(at, 60, at) for at in range(4)])
    for classes in (None, np.full(240, -1)):
        centres = fit_centres(rows, classes)
        assert len(centres) == 9
        assert np.linalg.norm(centres, axis=1) == pytest.approx(np.ones(9), abs=1e-5)


@given(st.integers(1, 400), st.integers(1, 6))
def test_centres_are_never_too_many(rows, classes):
    vectors = unit_rows(np.random.default_rng(rows).normal(size=(rows, 4)))
    labels = np.arange(rows) % classes
    assert 1 <= len(fit_centres(vectors, labels)) <= 512


def test_distance_of_odd_vectors():
    centres = unit_rows(np.eye(3, dtype=np.float32))
    assert distance(np.zeros(3, np.float32), centres) == 1.0
    assert distance(np.array([0, 5, 0], np.float32), centres) == pytest.approx(0.0)
    assert np.isnan(distance(np.array([np.nan, 0, 0], np.float32), centres))


def test_rows_that_are_not_finite_do_not_spoil_the_others():
    rows = unit_rows(np.array([[np.nan, 1.0], [3.0, 4.0], [0.0, 0.0]]))
    assert rows == pytest.approx(np.array([[0.0, 1.0], [0.6, 0.8], [0.0, 0.0]]))


def test_a_sketch_keeps_inner_products():
    chance = np.random.default_rng(0)
    ids = [np.sort(chance.choice(60_000, 60, replace=False)).astype(np.int32) for _ in range(40)]
    # Half of the ids in common: the cosine is one half.
    shared = [np.concatenate([a[:30], b[30:]]) for a, b in pairwise(ids)]
    weights = np.full(60, 60**-0.5, np.float32)
    got = [sketch(a, weights) @ sketch(s, weights) for a, s in zip(ids, shared, strict=False)]
    assert sketch(ids[0], weights).shape == (SKETCH,)
    assert np.mean(got) == pytest.approx(0.5, abs=0.05)
    assert np.std(got) < 0.1


def test_a_sketch_of_nothing_is_zero():
    assert not sketch(np.zeros(0, np.int32), np.zeros(0, np.float32)).any()
