"""Tails: on the scale of what was held out, growing without end, never falling."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.novelty.tails import fit_tail

numbers = st.floats(-1e6, 1e6)
samples = st.lists(numbers, min_size=1, max_size=80)


@given(samples, numbers, numbers)
def test_surprise_grows_with_the_score(scores, a, b):
    tail = fit_tail(scores)
    assert tail.sound
    low, high = tail.surprise(min(a, b)), tail.surprise(max(a, b))
    assert 0 <= low <= high < math.inf


@pytest.mark.parametrize("share", [0.9, 0.5, 0.1, 0.02])
def test_the_share_that_is_at_least_as_large_is_the_surprise(share):
    scores = np.random.default_rng(0).normal(size=20_000)
    got = fit_tail(scores).surprise(float(np.quantile(scores, 1 - share)))
    assert math.exp(-got) == pytest.approx(share, rel=0.05)


def test_beyond_all_that_was_seen_scores_are_still_told_apart():
    scores = np.random.default_rng(0).exponential(size=5_000)
    tail = fit_tail(scores)
    got = [math.exp(-tail.surprise(x)) for x in (8.0, 10.0, 12.0)]
    # The tail of an exponential is e^-x, far beyond the largest of 5,000 draws.
    assert got == pytest.approx([math.exp(-x) for x in (8.0, 10.0, 12.0)], rel=1.0)
    assert got[0] > got[1] > got[2]


def test_scores_that_never_vary_find_themselves_ordinary_and_all_else_not():
    tail = fit_tail([2.0] * 50)
    assert math.exp(-tail.surprise(1.9)) == 1.0
    assert tail.surprise(2.0) <= -math.log(0.02) + 1e-9
    assert tail.surprise(2.1) > 50


def test_what_is_no_number_is_as_surprising_as_can_be():
    tail = fit_tail([0.0, 1.0])
    assert tail.surprise(math.nan) == tail.surprise(math.inf) > 100
    assert tail.surprise(-math.inf) == 0.0


@pytest.mark.parametrize("points", [(), (1.0,), (math.nan,) * 64, tuple(range(64, 0, -1))])
def test_points_that_are_no_quantiles_are_not_sound(points):
    tail = fit_tail([0.0, 1.0])
    assert not type(tail)(points, tail.excess).sound
    assert not type(tail)(tail.points, 0.0).sound
