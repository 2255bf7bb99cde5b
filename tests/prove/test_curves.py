"""Curve and bins are what counting gives."""

import pytest

from stepdown.core.proofs import Bin
from stepdown.prove.curves import calibration_error, reliability_bins, risk_coverage


def test_the_curve_counts_what_each_threshold_accepts(world):
    outcomes = world.outcomes(world.rows(1000))
    points = risk_coverage(outcomes)
    assert len(points) == 200
    for point in points[::20]:
        accepted = [o for o in outcomes if o.score >= point.threshold]
        wrong = sum(not o.agrees for o in accepted)
        assert point.coverage == len(accepted) / 1000
        assert point.joint_risk == wrong / 1000
        assert point.selective_risk == wrong / len(accepted)
    assert points[-1].coverage == 1.0
    coverages = [point.coverage for point in points]
    assert coverages == sorted(coverages)


def test_abstentions_stand_outside_curve_and_bins(world):
    outcomes = world.outcomes(
        [world.example(1, "cards", "cards", 1.0), world.example(2, "cards", "abstain", 1.0)]
    )
    (point,) = risk_coverage(outcomes)
    assert (point.threshold, point.coverage, point.joint_risk) == (1.0, 0.5, 0.0)
    assert reliability_bins(outcomes) == (Bin(0.9, 1.0, 1, 1.0, 1.0),)
    assert risk_coverage(outcomes[1:]) == reliability_bins(outcomes[1:]) == ()


def test_bins_hold_mean_confidence_and_agreement(world):
    outcomes = world.outcomes(
        [
            world.example(1, "cards", "cards", 0.92),
            world.example(2, "cards", "loans", 0.98),
            world.example(3, "cards", "cards", 0.0),
        ]
    )
    low, high = reliability_bins(outcomes)
    assert (low.low, low.count, low.confidence, low.agreement) == (0.0, 1, 0.0, 1.0)
    assert (high.count, high.agreement) == (2, 0.5)
    assert high.confidence == pytest.approx(0.95)
    assert calibration_error((low, high)) == pytest.approx((1.0 + 2 * 0.45) / 3)
    assert calibration_error(()) == 0.0
