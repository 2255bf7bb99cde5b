"""R-6: the breaker against a model of it, a hundred callers at once, a wall clock that moves."""

import asyncio
import math
import time
from contextlib import closing

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.serve.conftest import FakeUpstream

from stepdown.serve.breaker import Breaker
from stepdown.serve.settings import Limits, Timeouts
from stepdown.serve.upstream import Unanswered, Upstream


class BreakerMachine(RuleBasedStateMachine):
    """The breaker beside the simplest thing that could be right.

    `calls` are those that have leave and no outcome yet, each with whether it is the probe.
    """

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker(clock=lambda: self.now)
        self.state, self.row, self.opened, self.until = "closed", 0, 0, 0.0
        self.calls = []
        self.good = -math.inf

    def probing(self):
        return any(self.calls)

    @rule(seconds=st.sampled_from([0.5, 10.0, 29.9, 30.0, 31.0, 90.0, 300.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def ask(self):
        leave = self.breaker.wait_s() is None
        if self.state == "closed":
            assert leave
            self.calls.append(False)
        elif self.now < self.until or self.probing():
            assert not leave
        else:
            assert leave
            self.calls.append(True)

    @rule(
        which=st.integers(0, 50),
        outcome=st.sampled_from(["answered", "storm", "failed", "abandoned"]),
    )
    def end(self, which, outcome):
        if not self.calls:
            return
        probe = self.calls.pop(which % len(self.calls))
        if self.probing() and not probe:
            # A call from before it opened, while the probe runs: its outcome is not the probe's.
            self.calls.append(probe)
            return
        if outcome == "storm":
            self.breaker.answered(well=False)
        else:
            getattr(self.breaker, outcome)()
        if outcome == "answered":
            self.state, self.row, self.opened, self.good = "closed", 0, 0, self.now
        elif outcome in ("failed", "storm") and (self.state == "closed" or probe):
            self.row += 1
            opens = outcome == "failed" or self.now - self.good >= 5.0
            if probe or (opens and self.row >= 5):
                self.state, self.row, self.opened = "open", 0, self.opened + 1
                self.until = self.now + min(30.0 * self.opened, 300.0)

    @invariant()
    def same(self):
        assert self.breaker.open == (self.state == "open")


def test_r6_the_breaker_against_its_model(figure):
    bounds = settings(max_examples=60, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(BreakerMachine, settings=bounds)
    figure("60 runs of 40 steps against a model")


@pytest.fixture
def upstream():
    with closing(FakeUpstream()) as made:
        yield made
        made.release.set()


async def asked(client, times):
    """Ask so often at once; returns statuses and codes."""

    async def one():
        try:
            async with client.answer("POST", "/x", [], b"{}", first_byte_s=5) as reached:
                return reached.response.status
        except Unanswered as failure:
            return failure.code

    return await asyncio.gather(*(one() for _ in range(times)))


def test_r6_a_hundred_callers_at_half_open_make_one_probe(upstream, figure):
    now = [0.0]
    breaker = Breaker(clock=lambda: now[0])
    for _ in range(5):
        assert breaker.wait_s() is None
        breaker.failed()

    async def go():
        client = Upstream(upstream.url, Limits(), Timeouts(), breaker)
        await client.open()
        held = await asked(client, 100)
        now[0] = 30.0
        upstream.pause = 0.2
        half_open = await asked(client, 100)
        closed = await asked(client, 10)
        await client.close()
        return held, half_open, closed

    held, half_open, closed = asyncio.run(go())
    assert held.count(200) == 0
    assert half_open.count(200) == 1
    assert half_open.count("upstream_unavailable") == 99
    assert closed == [200] * 10
    assert len(upstream.seen) == 11
    figure("100 callers at half-open: 1 probe")


@pytest.mark.parametrize("moved", [-3600.0, 3600.0])
def test_r6_a_wall_clock_that_moves_changes_nothing(monkeypatch, moved):
    breaker = Breaker(pause_s=0.3)
    for _ in range(5):
        breaker.failed()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + moved)
    wait = breaker.wait_s()
    assert wait is not None
    assert 0 < wait <= 0.3
    time.sleep(wait + 0.01)
    assert breaker.wait_s() is None
