"""The sliding window: never more than the limit in any minute, and a true time to wait."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdown.serve.rates import Rate


def test_a_minutes_worth_and_no_more():
    rate = Rate()
    assert [rate.take(1, 3, 10.0 + n) for n in range(3)] == [0.0] * 3
    wait = rate.take(1, 3, 13.5)
    assert wait == pytest.approx(71.0 - 13.5)
    assert rate.take(1, 3, 70.9) > 0
    assert rate.take(1, 3, 71.0) == 0.0
    assert rate.take(1, 3, 71.0) > 0
    assert rate.take(3, 3, 500.0) == 0.0


def test_what_never_fits_is_told_so():
    assert Rate().take(4, 3, 0.0) == math.inf


def test_what_turned_out_otherwise_is_put_right_while_it_counts():
    rate = Rate()
    assert rate.take(90, 100, 0.0) == 0.0
    slot = rate.newest()
    assert rate.take(20, 100, 1.0) > 0
    rate.put_right(slot, -80)
    assert rate.take(20, 100, 1.0) == 0.0
    assert rate.take(81, 100, 61.0) > 0
    rate.put_right(slot, 1000)
    assert rate.take(80, 100, 61.0) == 0.0


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 5)), max_size=80), st.integers(1, 12))
def test_s16_no_minute_has_more_than_the_limit(steps, most):
    rate, now, taken = Rate(), 1000.0, []
    for pause, amount in steps:
        now += pause
        wait = rate.take(amount, most, now)
        if wait == 0.0:
            taken.append((now, amount))
        elif wait < math.inf:
            assert Rate.take(rate, amount, most, now + wait) == 0.0
            now += wait
            taken.append((now, amount))
        else:
            assert amount > most
    for start, _ in taken:
        assert sum(amount for at, amount in taken if start <= at < start + 60) <= most
