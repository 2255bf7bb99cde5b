"""R-6: the breaker against a clock of our own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.serve.breaker import Breaker


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def opened(clock, **more):
    breaker = Breaker(clock=clock, **more)
    for _ in range(5):
        assert breaker.wait_s() is None
        breaker.failed()
    return breaker


def test_r6_opens_after_five_in_a_row_and_not_before():
    clock = Clock()
    breaker = Breaker(clock=clock)
    for _ in range(4):
        breaker.failed()
    breaker.answered()
    for _ in range(4):
        breaker.failed()
    assert breaker.wait_s() is None
    assert not breaker.open
    breaker.failed()
    assert breaker.open
    assert breaker.wait_s() == 30.0


def test_r6_exactly_one_probe_when_the_pause_is_over():
    clock = Clock()
    breaker = opened(clock)
    clock.now += 30
    assert [breaker.wait_s() for _ in range(100)].count(None) == 1


def test_r6_one_success_closes():
    clock = Clock()
    breaker = opened(clock)
    clock.now += 30
    assert breaker.wait_s() is None
    breaker.answered()
    assert not breaker.open
    assert [breaker.wait_s() for _ in range(10)] == [None] * 10


def test_r6_a_failed_probe_waits_longer_each_time_up_to_a_bound():
    clock = Clock()
    breaker = opened(clock)
    waits = []
    for _ in range(15):
        waits.append(breaker.wait_s())
        clock.now += waits[-1]
        assert breaker.wait_s() is None
        breaker.failed()
    assert waits[:3] == [30.0, 60.0, 90.0]
    assert waits[-1] == 300.0


def test_a_probe_that_was_abandoned_frees_the_place():
    clock = Clock()
    breaker = opened(clock)
    clock.now += 30
    assert breaker.wait_s() is None
    breaker.abandoned()
    assert breaker.wait_s() is None


@pytest.mark.parametrize("end", ["abandoned", "failed"])
def test_r6_a_call_from_before_it_opened_is_not_the_probe(end):
    clock = Clock()
    breaker = opened(clock)
    before = breaker.turn
    clock.now += 30
    assert breaker.wait_s() is None
    probe = breaker.turn
    getattr(breaker, end)(before)
    assert breaker.wait_s() == 1.0
    breaker.failed(probe)
    assert breaker.wait_s() == 60.0


def test_late_failures_do_not_prolong_the_pause():
    clock = Clock()
    breaker = opened(clock)
    for _ in range(20):
        breaker.failed()
    assert breaker.wait_s() == 30.0


@given(st.lists(st.sampled_from(["ask", "ok", "bad", "left", "wait"]), max_size=60))
def test_r6_the_breaker_always_lets_somebody_through_in_the_end(steps):
    clock = Clock()
    breaker = Breaker(clock=clock)
    for step in steps:
        if step == "wait":
            clock.now += 40
        elif step == "ask":
            breaker.wait_s()
        else:
            {"ok": breaker.answered, "bad": breaker.failed, "left": breaker.abandoned}[step]()
    clock.now += 300
    breaker.abandoned()
    assert breaker.wait_s() is None


def test_r6_answers_that_are_failures_open_it_after_five_in_a_row():
    breaker = Breaker(clock=Clock())
    for _ in range(4):
        breaker.answered(well=False)
    assert not breaker.open
    breaker.answered(well=False)
    assert breaker.wait_s() == 30.0


def test_r3_one_that_answers_now_and_then_is_still_asked():
    clock = Clock()
    breaker = Breaker(clock=clock)
    for _ in range(20):
        breaker.answered()
        for _ in range(9):
            clock.now += 0.5
            breaker.answered(well=False)
        assert not breaker.open
    clock.now += 0.5
    breaker.answered(well=False)
    assert breaker.open


def test_r6_a_probe_whose_answer_is_a_failure_opens_it_again():
    clock = Clock()
    breaker = opened(clock)
    clock.now += 30
    assert breaker.wait_s() is None
    breaker.answered(well=False)
    assert breaker.wait_s() == 60.0
