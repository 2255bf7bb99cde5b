"""Routing curves: laws, and the published figures' own definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.route.curves import (
    aiq,
    apgr,
    cpt,
    exact_curve,
    quantile_curve,
    sweep,
    upper_hull,
)

unit = st.floats(0.0, 1.0).map(lambda x: round(x, 6))
points = st.lists(st.tuples(unit, unit), min_size=1, max_size=12)


def two_models(rows=4000, seed=0):
    random = np.random.default_rng(seed)
    weak = random.random(rows) < 0.6
    strong = random.random(rows) < 0.8
    return weak.astype(float), strong.astype(float), random


def test_a_router_that_knows_nothing_recovers_half_of_the_gap():
    weak, strong, random = two_models(40_000)
    curve = quantile_curve(random.random(len(weak)), weak, strong)
    assert apgr(curve) == pytest.approx(0.5, abs=0.03)
    assert cpt(curve, 0.5) == pytest.approx(0.5, abs=0.06)
    assert cpt(curve, 0.8) == pytest.approx(0.8, abs=0.06)


def test_one_score_for_all_is_a_straight_line():
    weak, strong, _ = two_models()
    for curve in (exact_curve(np.zeros(len(weak)), weak, strong),):
        assert apgr(curve) == pytest.approx(0.5)
        assert cpt(curve, 0.8) == pytest.approx(0.8)


@given(st.integers(0, 50))
def test_the_oracle_is_better_than_any_score(seed):
    weak, strong, random = two_models(200, seed)
    if strong.mean() <= weak.mean():
        return
    best = exact_curve(strong - weak, weak, strong)
    other = exact_curve(random.random(200), weak, strong)
    assert apgr(best) >= apgr(other) - 1e-9
    assert cpt(best, 0.8) <= cpt(other, 0.8) + 1e-9


def test_the_oracle_gains_one_row_a_strong_call_until_the_hard_ones_are_done():
    weak = np.array([1, 1, 0, 0, 1, 1, 1, 0, 1, 1.0])
    strong = np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 0.0])
    curve = exact_curve(strong - weak, weak, strong)
    # A gap of 0.2, three hard rows of which one pays for the row that the strong model loses.
    assert cpt(curve, 0.5) == pytest.approx(0.1)
    assert curve.quality.max() == pytest.approx(1.0)


def test_equal_models_have_no_gap_to_recover():
    weak = np.ones(10)
    assert np.isnan(apgr(exact_curve(np.arange(10), weak, weak)))
    assert np.isnan(cpt(exact_curve(np.arange(10), weak, weak), 0.5))


@given(points)
def test_no_point_lies_above_the_hull_and_it_rises_and_bends_down(given_points):
    hull = upper_hull(given_points)
    costs, quality = [c for c, _ in hull], [q for _, q in hull]
    assert set(hull) <= set(given_points)
    assert costs == sorted(set(costs))
    assert quality == sorted(set(quality))
    for cost, value in given_points:
        assert value <= np.interp(cost, costs, quality) + 1e-6 or cost < costs[0]
    slopes = np.diff(quality) / np.diff(costs) if len(hull) > 1 else np.zeros(0)
    assert (np.diff(slopes) <= 1e-6 * (1 + np.abs(slopes[:-1]))).all()


@given(points, points)
def test_more_points_never_have_less_area(some, more):
    start = [(0.0, 0.0)]
    assert aiq(start + some, 0.0, 1.0) <= aiq(start + some + more, 0.0, 1.0) + 1e-9


@given(points)
def test_the_zero_router_is_the_least_of_all_that_hold_the_single_models(extra):
    singles = [(0.1, 0.3), (0.4, 0.5), (0.9, 0.6)]
    assert aiq(singles, 0.1, 0.9) <= aiq(singles + [p for p in extra if p[0] >= 0.1], 0.1, 0.9) + (
        1e-9
    )


def test_the_area_is_the_mean_quality_over_cost():
    assert aiq([(0.0, 0.0), (1.0, 1.0)], 0.0, 1.0) == pytest.approx(0.5)
    assert aiq([(0.0, 0.5)], 0.0, 2.0) == pytest.approx(0.5)
    assert aiq([(0.0, 0.0), (1.0, 1.0)], 0.0, 2.0) == pytest.approx(0.75)


def test_a_sweep_goes_from_the_cheapest_to_the_best():
    truth = np.array([[0.0, 1.0], [1.0, 1.0]])
    found = sweep(truth, truth, np.array([1.0, 3.0]), [0.0, 100.0])
    assert found == [(1.0, 0.5), (2.0, 1.0)]
