"""The gateway's memory: keys, ids, and work beside the requests."""

import asyncio

import pytest

from stepdown.serve.gateway import Gateway, new_turn
from stepdown.serve.settings import Limits, Settings


def keyed(key):
    return [(b"authorization", f"Bearer {key}".encode())]


def made(world, **settings):
    return Gateway(Settings(**settings), world.load, None)


def test_s3_only_the_whole_key_counts(world):
    gateway = made(world, client_keys=("secret-key", "other"))
    for key, allowed in (
        ("secret-key", True),
        ("other", True),
        ("secret-ke", False),
        ("secret-key2", False),
        ("Secret-key", False),
        ("", False),
        ("\u00fc", False),
    ):
        assert gateway.may_enter(keyed(key)) == allowed
    assert gateway.may_enter([(b"x-api-key", b"other")])
    assert not gateway.may_enter([])
    assert made(world).may_enter([])


def test_known_keys_expire_and_are_bounded(world, monkeypatch):
    gateway = made(world, host="0.0.0.0", base_url="http://u", limits=Limits(known_keys=3))
    for number in range(5):
        gateway.accepted_upstream(keyed(number))
    assert [gateway.may_be_answered(keyed(n)) for n in range(5)] == [False] * 2 + [True] * 3
    monkeypatch.setattr("stepdown.serve.gateway.time.monotonic", lambda: 10**9)
    assert not gateway.may_be_answered(keyed(4))


def test_on_loopback_every_key_may_be_answered(world):
    assert made(world, base_url="http://u").may_be_answered(keyed("any"))


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

    assert asyncio.run(go()) == 3  # the poll takes one of the four places


def test_a_loader_has_to_give_something_at_start(world):
    with pytest.raises(TypeError):
        Gateway(Settings(), lambda generation: None, None)
