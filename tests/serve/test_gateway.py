"""The gateway's memory: known keys, ids, and work beside the requests."""

import asyncio
import threading

import pytest

from stepdown.errors import UsageError
from stepdown.serve.callers import Caller
from stepdown.serve.capture import Turn
from stepdown.serve.gateway import Gateway, new_turn
from stepdown.serve.reloading import Reloaded
from stepdown.serve.settings import Limits, Settings, Timeouts


def keyed(key):
    return [(b"authorization", f"Bearer {key}".encode())]


def made(world, **settings):
    return Gateway(Settings(**settings), world.load, None)


def turn(key, **more):
    return Turn("1", 0.0, 0.0, "POST", "/", keyed(key), **more)


def test_known_keys_expire_and_are_bounded(world, monkeypatch):
    gateway = made(world, host="0.0.0.0", base_url="http://u", limits=Limits(known_keys=3))
    for number in range(5):
        gateway.accepted_upstream(keyed(number))
    assert [gateway.may_be_answered(turn(n)) for n in range(5)] == [False] * 2 + [True] * 3
    monkeypatch.setattr("stepdown.serve.callers.time.monotonic", lambda: 10**9)
    assert not gateway.may_be_answered(turn(4))
    assert gateway.may_be_answered(turn(4, caller=Caller(known=True)))


def test_on_loopback_every_key_may_be_answered(world):
    assert made(world, base_url="http://u").may_be_answered(turn("any"))


def test_virtual_keys_need_a_key_of_the_gateways_own_upstream(world):
    world.issue()
    with pytest.raises(UsageError, match="api_key_env"):
        Gateway(Settings(base_url="http://u"), world.load, None, world.desk())
    Gateway(Settings(base_url="http://u", api_key="k"), world.load, None, world.desk())
    Gateway(Settings(), world.load, None, world.desk())


def test_ids_are_unique_and_sort_by_time(monkeypatch):
    turns = []
    for second in range(50):
        monkeypatch.setattr("stepdown.serve.gateway.time.time", lambda second=second: 1e9 + second)
        turns.append(new_turn("GET", "/", []))
    ids = [turn.id for turn in turns]
    assert ids == sorted(set(ids))


def test_work_beside_the_requests_is_bounded_and_ends_with_the_gateway(world):
    running = []

    async def work():
        running.append(1)
        await asyncio.sleep(60)

    async def go():
        gateway = Gateway(Settings(limits=Limits(audits=2)), world.load, None)
        await gateway.open()
        for _ in range(10):
            gateway.beside(work())
        await asyncio.sleep(0.01)
        await gateway.close()
        return len(running)

    assert asyncio.run(go()) == 2  # whatever else runs beside


def test_a_loader_has_to_give_something_at_start(world):
    with pytest.raises(TypeError):
        Gateway(Settings(), lambda generation: None, None)


def test_s4_a_key_that_is_revoked_during_a_reload_stays_revoked(world):
    whole = world.issue()

    async def go():
        settings, loop = Settings(), asyncio.get_running_loop()
        gateway = Gateway(settings, world.load, None, world.desk())
        assert gateway.callers.identified(keyed(whole))

        def load(generation):
            world.revoke(0)
            asyncio.run_coroutine_threadsafe(gateway.take_up_keys(), loop).result(10)
            return world.loaded()

        gateway.reload_config = lambda: Reloaded(settings, load)
        assert (await gateway.reload()).problem == ""
        return gateway

    gateway = asyncio.run(go())
    assert gateway.callers.generation == world.ring.generation
    assert gateway.callers.identified(keyed(whole)) is None


def test_s4_a_key_is_revoked_while_a_policy_is_being_loaded(world):
    whole, released = world.issue(), threading.Event()

    def load(generation):
        if generation is not None:
            released.wait(30)
        return world.load(generation)

    async def go():
        settings = Settings(timeouts=Timeouts(poll=0.02))
        gateway = Gateway(settings, load, None, world.desk())
        await gateway.open()
        await asyncio.sleep(0.2)
        world.revoke(0)
        try:
            async with asyncio.timeout(5):
                while gateway.callers.identified(keyed(whole)):
                    await asyncio.sleep(0.02)
        finally:
            released.set()
            await gateway.close()

    asyncio.run(go())
