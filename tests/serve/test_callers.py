"""Who a caller is: by whole keys alone, whichever header they come in."""

import itertools
import time

import pytest

from stepdown.core.keys import KeyRing, VirtualKey, digest_of
from stepdown.serve.callers import ANYONE, Callers, KnownKeys


def keyed(key, header=b"authorization"):
    return [(header, key.encode() if isinstance(key, str) else key)]


def ring_of(*keys, generation=1, **more):
    made = (VirtualKey(f"{n:012x}", f"k{n}", digest_of(k), 1.0, **more) for n, k in enumerate(keys))
    return KeyRing(generation, tuple(made))


def test_without_keys_anyone_may_enter():
    assert Callers((), KeyRing()).of([]) is ANYONE
    assert Callers((), KeyRing(), required=True).of([]) is None


def test_s3_only_the_whole_key_counts():
    callers = Callers(("secret-key", "other"), KeyRing())
    for key, allowed in (
        ("secret-key", True),
        ("other", True),
        ("secret-ke", False),
        ("secret-key2", False),
        ("Secret-key", False),
        ("", False),
        ("\u00fc", False),
    ):
        assert (callers.of(keyed(f"Bearer {key}")) is not None) == allowed
        assert (callers.of(keyed(key, b"x-api-key")) is not None) == allowed
    assert callers.of([]) is None


def test_s3_ten_thousand_pairs_of_keys_that_share_beginnings_and_ends(figure):
    stem = b"sd-0123456789ab-" + b"A" * 42
    known = {stem + b"%05d" % n: n for n in range(5000)}
    known |= {b"%05d" % n + stem: n for n in range(5000, 10_000)}
    callers = Callers((), ring_of(*known))
    crossed = 0
    for key, number in known.items():
        found = callers.of(keyed(b"Bearer " + key))
        crossed += found is None or found.key is None or found.key.name != f"k{number}"
        for other in (key[:-1], key + b"0", key[1:], key.swapcase(), key[:-1] + b"x"):
            crossed += other not in known and callers.of(keyed(other)) is not None
    assert crossed == 0
    figure("10,000 keys with shared beginnings and ends, 50,000 near misses: 0 taken for another")


@pytest.mark.parametrize("header", [b"authorization", b"x-api-key", b"api-key"])
@pytest.mark.parametrize("before", [b"Bearer ", b"bearer ", b""])
def test_a_virtual_key_works_in_each_of_the_headers(header, before):
    callers = Callers((), ring_of(b"one"))
    assert callers.of(keyed(before + b"one", header)).key.name == "k0"
    assert callers.of(keyed(before + b"two", header)) is None


def test_revoked_and_expired_keys_are_nobodys():
    for more in ({"revoked": 1.0}, {"expires": time.time() - 1}):
        assert Callers((), ring_of(b"one", **more)).of(keyed("one")) is None
    assert Callers((), ring_of(b"one", expires=time.time() + 60)).of(keyed("one")) is not None


def test_a_ring_that_loses_its_keys_opens_nothing():
    callers = Callers((), ring_of(b"one"))
    callers.take_up(KeyRing(2))
    assert callers.of([]) is None
    assert callers.of(keyed("one")) is None
    assert callers.generation == 2


def test_client_keys_work_beside_virtual_ones_and_have_no_limits():
    callers = Callers(("two",), ring_of(b"one"))
    assert callers.of(keyed("two")).key is None
    assert callers.of(keyed("one")).key is not None
    assert callers.virtual
    for order in itertools.permutations([*keyed("Bearer x"), *keyed("one", b"x-api-key")]):
        assert callers.of(list(order)).key.name == "k0"


def test_keys_that_were_accepted_upstream_are_known_by_all_headers_together():
    known = KnownKeys(10, 60.0)
    known.add(keyed("Bearer a"))
    assert known.has(keyed("Bearer a"))
    assert not known.has([*keyed("Bearer a"), *keyed("b", b"api-key")])
    assert not known.has([])
