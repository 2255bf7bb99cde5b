"""A caller who leaves breaks work off, and so does a wait that is too long; nothing else does."""

import asyncio
import math
import time

import pytest

from stepdown.serve.presence import Patience, while_there


class Caller:
    """Sends what it is told to, then waits until it leaves."""

    def __init__(self, *messages):
        self.messages = list(messages)
        self.leaves = asyncio.Event()
        self.listened = 0

    async def receive(self):
        self.listened += 1
        try:
            if self.messages:
                await asyncio.sleep(0)
                return self.messages.pop(0)
            await self.leaves.wait()
            return {"type": "http.disconnect"}
        finally:
            self.listened -= 1


async def until_cancelled(found):
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        found.append("cancelled")
        raise


def test_work_that_is_done_is_the_end_of_it():
    async def go():
        caller = Caller({"type": "http.request"}, {"type": "http.request"})
        done = []

        async def work():
            await asyncio.sleep(0.01)
            done.append(1)

        await while_there(work(), caller.receive)
        assert done == [1]
        assert caller.listened == 0
        caller.leaves.set()
        await asyncio.sleep(0.01)

    asyncio.run(go())


@pytest.mark.parametrize("before", [0, 2])
def test_r9_a_caller_who_leaves_breaks_the_work_off(before):
    async def go():
        caller = Caller(*[{"type": "http.request"}] * before)
        found = []
        asyncio.get_running_loop().call_later(0.02, caller.leaves.set)
        await while_there(until_cancelled(found), caller.receive)
        assert found == ["cancelled"]
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(0)

    asyncio.run(go())


def test_one_who_has_left_already_gets_no_work_done():
    async def go():
        async def receive():
            return {"type": "http.disconnect"}

        found = []
        await while_there(until_cancelled(found), receive)
        assert found == ["cancelled"]

    asyncio.run(go())


def test_a_cancelled_task_stays_cancelled():
    async def go(leaves):
        caller = Caller()
        found = []
        task = asyncio.get_running_loop().create_task(
            while_there(until_cancelled(found), caller.receive)
        )
        await asyncio.sleep(0.01)
        task.cancel()
        if leaves:
            caller.leaves.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert found == ["cancelled"]
        assert caller.listened == 0

    asyncio.run(go(leaves=False))
    asyncio.run(go(leaves=True))


def test_an_error_of_the_work_goes_on():
    async def go():
        async def fails():
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await while_there(fails(), Caller().receive)

    asyncio.run(go())


def test_each_wait_has_its_time_and_no_wait_takes_it_from_another():
    async def go():
        patience = Patience(0.2, math.inf)
        for _ in range(4):
            with patience:
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.3)  # outside, time does not count
        began = time.monotonic()
        with pytest.raises(TimeoutError), patience:
            await asyncio.sleep(30)
        assert 0.15 < time.monotonic() - began < 10
        assert asyncio.current_task().cancelling() == 0
        patience.end()

    asyncio.run(go())


def test_no_wait_goes_past_the_last_moment():
    async def go():
        patience = Patience(30, time.monotonic() + 0.1)
        with pytest.raises(TimeoutError), patience:
            await asyncio.sleep(30)
        patience.end()

    asyncio.run(go())


def test_a_task_that_is_cancelled_while_it_waits_is_not_late():
    async def go():
        async def work():
            with Patience(30, math.inf):
                await asyncio.sleep(30)

        task = asyncio.get_running_loop().create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())


def test_an_error_while_waiting_stays_itself():
    async def go():
        patience = Patience(30, math.inf)
        with pytest.raises(KeyError), patience:
            raise KeyError
        patience.end()

    asyncio.run(go())


def test_a_wait_for_what_can_not_come_any_more_ends_before_its_time():
    async def go():
        patience = Patience(30.0, math.inf, lambda: True)
        began = time.monotonic()
        with pytest.raises(TimeoutError), patience:
            await asyncio.sleep(30)
        patience.end()
        return time.monotonic() - began

    assert asyncio.run(go()) < 5
