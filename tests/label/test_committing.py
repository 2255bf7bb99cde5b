"""Steps reach the disk in order, together, and what can't be kept is said."""

import asyncio
import threading

import pytest

from stepdown.core.labels import Failed, Sent
from stepdown.errors import UsageError
from stepdown.label.committing import Committer


def failed(number):
    return Failed("k", number, "x")


def test_all_that_waits_goes_in_one_commit_in_order():
    batches, kept = [], []
    gate = threading.Event()

    def commit(steps):
        batches.append(list(steps))
        gate.wait(2)

    async def go():
        committer = Committer(commit, kept.extend)
        running = asyncio.ensure_future(committer.run())
        first = asyncio.ensure_future(committer.sync(Sent("k", 0, 0.0)))
        await asyncio.sleep(0.02)
        others = [asyncio.ensure_future(committer.sync(Sent("k", n, 0.0))) for n in range(1, 30)]
        await asyncio.sleep(0.02)
        assert not first.done()
        gate.set()
        await asyncio.gather(first, *others)
        committer.close()
        assert await running is None

    asyncio.run(go())
    assert [len(batch) for batch in batches] == [1, 29]
    assert [step.number for step in kept] == list(range(30))


def test_a_failure_is_told_and_what_was_paid_for_is_tried_again():
    done = []

    def commit(steps):
        if len(done) < 2:
            done.append(None)
            raise UsageError("full")
        done.append(list(steps))

    async def go():
        committer = Committer(commit, lambda steps: None)
        running = asyncio.ensure_future(committer.run())
        committer.add(failed(1))
        with pytest.raises(UsageError, match="full"):
            await committer.sync(Sent("k", 2, 0.0))
        committer.add(failed(3))
        await asyncio.sleep(0.05)
        committer.add(failed(4))
        committer.close()
        assert await running is None

    asyncio.run(go())
    assert [step for batch in done[2:] for step in batch] == [failed(1), failed(3), failed(4)]


def test_it_ends_though_nothing_can_be_kept():
    def commit(steps):
        raise UsageError("full")

    async def go():
        committer = Committer(commit, lambda steps: None)
        running = asyncio.ensure_future(committer.run())
        committer.add(failed(1))
        committer.close()
        assert isinstance(await running, UsageError)

    asyncio.run(go())


def test_cancelled_it_keeps_what_it_has():
    done = []

    async def go():
        committer = Committer(done.extend, lambda steps: None)
        running = asyncio.ensure_future(committer.run())
        await asyncio.sleep(0)
        committer.add(failed(1))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(go())
    assert done == [failed(1)]
