"""D-1: the gateway is killed under load, again and again, and loses nothing that was answered."""

import json
import sqlite3
from contextlib import closing, contextmanager

import pytest
from tests.reliability.faulty import faulty_gateway, in_threads, seconds_until

from stepdown.cli.bench.gateway.kills import killed
from stepdown.cli.bench.gateway.processes import Running
from stepdown.store.sqlite import SqliteOutbox, read_lines


def bodies():
    turns = [{"role": "user", "content": "hello"}]
    plain = {"model": "gpt-4o", "messages": turns}
    return [json.dumps(body).encode() for body in (plain, plain, {**plain, "stream": True}, plain)]


def lost_and_doubled(path, upstream, durability, rounds):
    """Return what came of the kills, and how long the slowest opening of the store took."""
    slowest = 0.0

    @contextmanager
    def start():
        nonlocal slowest
        with faulty_gateway(path, upstream.url, durability=durability) as gateway:
            slowest = max(slowest, gateway.took)
            upstream.seen.clear()
            yield Running(gateway.url, gateway.process.pid)

    counts = killed(start, path, bodies(), rounds)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return counts, slowest


@pytest.mark.reliability
@pytest.mark.parametrize("durability", ["journal", "sync"])
def test_d1_40_kills_under_load(tmp_path, upstream, durability, figure):
    counts, slowest = lost_and_doubled(tmp_path / "calls.db", upstream, durability, 40)
    figure(
        f"{durability}: {counts.kills} kills -9 under load, {counts.acknowledged:,} calls "
        f"acknowledged, {counts.lost} lost, {counts.doubled} doubled, slowest opening "
        f"{slowest * 1000:.0f} ms"
    )
    assert counts.acknowledged > 40
    assert (counts.lost, counts.doubled) == (0, 0)
    assert slowest < 2.0


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_d1_200_kills_under_load_of_sync(tmp_path, upstream, figure):
    counts, slowest = lost_and_doubled(tmp_path / "calls.db", upstream, "sync", 200)
    figure(f"sync: {counts}, slowest opening {slowest * 1000:.0f} ms")
    assert (counts.lost, counts.doubled) == (0, 0)
    assert slowest < 2.0


@pytest.mark.reliability
def test_d1_async_counts_all_that_it_loses(tmp_path, upstream, figure):
    """Nothing is promised there, and yet what did not fit is told: in the metric and in `gaps`."""
    path = tmp_path / "calls.db"
    with faulty_gateway(path, upstream.url, durability="async", max_items=20) as gateway:
        ids = []
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            in_threads(lambda n: ids.extend(gateway.ask()[1] for _ in range(30)), 4)
            other.execute("ROLLBACK")
        seconds_until(lambda: ids.append(gateway.ask()[1]) or len(list(read_lines(path))) > 20)
        found = gateway.end()
    lost = len(set(ids) - set(found["ids"]))
    figure(f"async behind a locked store: {lost} of {len(ids)} lost, {found['gaps']} reported")
    assert None not in ids
    assert lost == found["gaps"] == found["dropped"] > 0


def test_d1_a_killed_gateway_s_store_opens_again_at_once(tmp_path, upstream):
    path = tmp_path / "calls.db"
    counts, _ = lost_and_doubled(path, upstream, "journal", 2)
    assert (counts.lost, counts.doubled) == (0, 0)
    SqliteOutbox(path).close()
