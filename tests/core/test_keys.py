"""Virtual keys as values: their states, their digests, and their form in a header."""

from datetime import UTC, datetime

import pytest

from stepdown.core.keys import (
    Allowance,
    VirtualKey,
    digest_of,
    ends_in_s,
    is_virtual,
    shown_key,
    window_of,
)

KEY = b"sd-0123456789ab-" + b"x" * 43


@pytest.mark.parametrize(
    ("more", "now", "state"),
    [
        ({}, 1e12, "active"),
        ({"expires": 10.0}, 9.9, "active"),
        ({"expires": 10.0}, 10.0, "expired"),
        ({"revoked": 5.0}, 0.0, "revoked"),
        ({"revoked": 5.0, "expires": 10.0}, 20.0, "revoked"),
    ],
)
def test_a_keys_state(more, now, state):
    assert VirtualKey("i", "n", "d", 0.0, **more).state(now) == state


def test_a_key_is_shown_without_its_hash():
    key = VirtualKey("i", "n", digest_of(KEY), 1.0)
    assert shown_key(key, 2.0) == {"id": "i", "name": "n", "created": 1.0, "state": "active"}


@pytest.mark.parametrize("before", [b"", b"Bearer ", b"bearer  "])
def test_a_virtual_key_is_seen_in_a_header(before):
    assert is_virtual(before + KEY)
    assert not is_virtual(before + b"sk-proj-abc")


def test_money_is_counted_in_whole_nanodollars():
    assert Allowance(usd=0.1).nanodollars == 100_000_000
    assert Allowance().nanodollars is None


def test_windows_follow_the_calendar():
    at = datetime(2026, 12, 31, 23, 30, tzinfo=UTC).timestamp()
    assert window_of("hour", at) == "2026-12-31T23"
    assert window_of("day", at) == "2026-12-31"
    assert window_of("month", at) == "2026-12"
    assert window_of("total", at) == "total"
    assert ends_in_s("hour", at) == ends_in_s("day", at) == ends_in_s("month", at) == 1800
    assert ends_in_s("total", at) is None
