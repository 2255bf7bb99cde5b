"""The test part's figures and their intervals."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.prove.measure import interval, measure


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_estimate(count, more):
    made = interval(count, count + more)
    assert 0.0 <= made.low <= made.estimate <= made.high <= 1.0
    assert (made.count, made.total) == (count, count + more)


def test_figures_add_up(world):
    outcomes = world.outcomes(world.rows(500))
    test = measure(outcomes, world.task().anatomy, 0.8)
    assert test.rows == test.coverage.total == test.joint_risk.total == 500
    assert test.selective_risk.total == test.coverage.count
    assert test.selective_risk.count == test.joint_risk.count
    assert test.joint_risk.estimate == pytest.approx(
        test.coverage.estimate * test.selective_risk.estimate
    )
    assert sum(row.rows for row in test.slices) == 500
    assert sum(row.answered_wrong for row in test.slices) == test.joint_risk.count
    assert sum(pair.count for pair in test.confusions) == 500 - test.agreement.count
    assert sum(one.count for one in test.bins) == 500


def test_without_a_threshold_nothing_is_answered(world):
    test = measure(world.outcomes(world.rows(50)), world.task().anatomy, None)
    assert test.coverage.count == test.joint_risk.count == test.selective_risk.total == 0
    assert test.agreement.count > 40
    assert test.curve


def test_a_test_part_without_rows_is_unknown_not_perfect(world):
    test = measure([], world.task().anatomy, 0.5)
    assert (test.rows, test.coverage.low, test.coverage.high) == (0, 0.0, 1.0)


def test_graded_answers_are_measured_by_their_mean_loss(world):
    rows = [
        msgspec.structs.replace(one, loss=0.2 * (at % 2))
        for at, one in enumerate(world.outcomes(world.rows(400)))
    ]
    found = measure(rows, world.task().anatomy, 0.0)
    assert found.joint_risk.estimate == pytest.approx(0.1)
    assert found.joint_risk.low < 0.1 < found.joint_risk.high < 0.2
    assert found.curve[-1].joint_risk == pytest.approx(0.1)
