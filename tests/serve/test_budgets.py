"""Leased money: reserved, settled, given back; windows by the calendar; a purse that fails."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdown.errors import StepdownError
from stepdown.serve import budgets
from stepdown.serve.budgets import Budget
from stepdown.store.spend import SqlitePurse


class FakePurse:
    """A purse in memory; `fails` makes it raise, `asked` counts leases."""

    def __init__(self):
        self.out = {}
        self.asked = 0
        self.fails = False

    def lease(self, account, window, amount, cap, least=0):
        self.asked += 1
        if self.fails:
            raise StepdownError("no disk")
        granted = max(0, min(amount, cap - self.spent(account, window)))
        granted = granted if granted >= least else 0
        self.settle(account, window, granted)
        return granted

    def settle(self, account, window, amount):
        self.out[account, window] = self.spent(account, window) + amount

    def spent(self, account, window):
        return self.out.get((account, window), 0)


def run(work):
    """Run work(budget, purse) on a loop; returns (its result, the purse) when all is written."""
    purse = FakePurse()

    async def go():
        with ThreadPoolExecutor(1) as thread:
            return await work(Budget("k", purse, thread), purse)

    return asyncio.run(go()), purse


def test_requests_share_a_lease_and_the_cap_holds():
    async def work(budget, purse):
        taken = [await budget.reserve(10, 1000, "total") for _ in range(101)]
        assert taken == [True] * 100 + [False]
        assert purse.asked <= 52
        for _ in range(100):
            budget.settle("total", 10, 4)
        assert (budget.spent, budget.reserved) == (400, 0)
        assert await budget.reserve(600, 1000, "total")
        assert not await budget.reserve(1, 1000, "total")
        budget.settle("total", 600, 600)

    _, purse = run(work)
    assert purse.out == {("k", "total"): 1000}


def test_all_at_once_take_no_more_than_there_is():
    async def work(budget, purse):
        return await asyncio.gather(*(budget.reserve(90, 1000, "total") for _ in range(200)))

    taken, purse = run(work)
    assert sum(taken) == 11
    assert purse.out["k", "total"] <= 1000


def test_what_is_not_used_is_given_back_and_what_is_overspent_is_told():
    async def work(budget, purse):
        assert await budget.reserve(10, 1000, "total")
        budget.settle("total", 10, 3)
        budget.give_back()

    _, purse = run(work)
    assert purse.out == {("k", "total"): 3}

    async def over(budget, purse):
        assert await budget.reserve(1000, 1000, "total")
        budget.settle("total", 1000, 1200)
        assert not await budget.reserve(1, 1000, "total")
        budget.give_back()

    _, purse = run(over)
    assert purse.out == {("k", "total"): 1200}


def test_a_purse_that_fails_grants_nothing_and_is_asked_again():
    async def work(budget, purse):
        purse.fails = True
        with pytest.raises(StepdownError):
            await budget.reserve(10, 1000, "total")
        purse.fails = False
        assert await budget.reserve(10, 1000, "total")

    run(work)


def test_a_caller_who_leaves_while_money_is_leased_loses_none_of_it():
    async def work(budget, purse):
        waiting = asyncio.ensure_future(budget.reserve(10, 1000, "total"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await asyncio.sleep(0.05)

    _, purse = run(work)
    assert purse.out.get(("k", "total"), 0) <= 1000 // 50


def test_s16_a_request_that_does_not_fit_holds_no_money():
    async def work(budget, purse):
        assert await budget.reserve(10, 1000, "total")
        assert not await budget.reserve(2000, 1000, "total")
        assert purse.out["k", "total"] == 20
        for _ in range(50):
            assert await budget.reserve(1, 1000, "total")

    run(work)


def test_s16_two_gateways_refuse_and_settle_at_once(tmp_path):
    """What one of them does not need the other has, without waiting for anybody to be idle."""

    async def work():
        with (
            ThreadPoolExecutor(1) as one,
            ThreadPoolExecutor(1) as two,
            closing(SqlitePurse(tmp_path / "spend.db")) as first,
            closing(SqlitePurse(tmp_path / "spend.db")) as second,
        ):
            mine, other = Budget("k", first, one), Budget("k", second, two)
            for _ in range(3):
                assert not await mine.reserve(1001, 1000, "total")
                assert await other.reserve(900, 1000, "total")
                assert not await mine.reserve(200, 1000, "total")
                other.settle("total", 900, 1)
                two.submit(int).result()
                mine._short_until = 0.0  # a second later
                assert await mine.reserve(900, 1000, "total")
                mine.settle("total", 900, 1)
                one.submit(int).result()
                other._short_until = 0.0
            return first.spent("k", "total")

    assert 6 <= asyncio.run(work()) <= 6 + 2 * 20


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.integers(0, 60), st.booleans(), st.booleans()),
        max_size=40,
    )
)
def test_s16_reserved_and_spent_never_exceed_the_cap(steps):
    async def work(budget, purse):
        spent, open_ = 0, []
        part = 200 // 50
        for amount, cost, settles, gives_back in steps:
            if await budget.reserve(amount, 200, "total"):
                open_.append((amount, min(cost, amount)))
            if settles and open_:
                reserved, cost = open_.pop()
                budget.settle("total", reserved, cost)
                spent += cost
            if gives_back:
                budget.give_back()
                await asyncio.sleep(0)
            counted = spent + sum(amount for amount, _ in open_)
            assert counted <= 200
            # What a kill would lose now.
            await asyncio.wrap_future(budget._thread.submit(int))
            assert counted <= purse.spent("k", "total") <= counted + part
        budget.give_back()
        return spent + sum(amount for amount, _ in open_)

    counted, purse = run(work)
    assert purse.out.get(("k", "total"), 0) == counted


def test_a_clock_that_goes_back_opens_no_window_again(monkeypatch):
    async def work(budget, purse):
        now = [datetime(2026, 5, 2, 0, 1, tzinfo=UTC).timestamp()]
        monkeypatch.setattr(budgets.time, "time", lambda: now[0])
        assert await budget.reserve(100, 100, "day")
        budget.settle(budget.window, 100, 100)
        now[0] -= 3600
        assert not await budget.reserve(1, 100, "day")
        now[0] += 2 * 86_400
        assert await budget.reserve(100, 100, "day")
        budget.settle("2026-05-02", 0, 5)
        assert budget.window == "2026-05-03"
        return time.monotonic()

    _, purse = run(work)
    assert purse.out == {("k", "2026-05-02"): 105, ("k", "2026-05-03"): 100}
