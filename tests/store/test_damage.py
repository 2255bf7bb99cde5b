"""D-3: a log that was cut short or has flipped bits: what stood before the damage is there."""

import logging
import random
import shutil
import sqlite3
from contextlib import closing

import msgspec
import pytest

from stepdown.core.ports import Exchange
from stepdown.errors import InputError
from stepdown.store.damage import tell_damage, unusable_pages
from stepdown.store.schema import connect
from stepdown.store.sqlite import SqliteOutbox, read_lines


class Store(msgspec.Struct):
    """The files of a store as a killed gateway leaves them; `ends[n]` is where the log of the first
    n calls ends."""

    path: object
    ends: list[int]


def put(outbox, number):
    line = b"%d " % number + b"x" * (number * 97 % 5000)
    outbox.submit(Exchange(f"id-{number}", 0.0, line), lambda durable: None)


def made(folder, count=30):
    path, live = folder / "calls.db", folder / "live" / "calls.db"
    with closing(SqliteOutbox(live)):
        pass  # the schema is in the database, the calls are in the log
    wal = live.with_name("calls.db-wal")
    with closing(SqliteOutbox(live)) as outbox:
        ends = []
        for number in range(count):
            put(outbox, number)
            while outbox.health().committed <= number:
                pass
            ends.append(wal.stat().st_size)
        for name in ("calls.db", "calls.db-wal"):
            shutil.copy(live.with_name(name), path.with_name(name))
    return Store(path, ends)


@pytest.fixture
def store(tmp_path):
    return made(tmp_path)


def damaged(store, data):
    """Put a log beside a fresh copy of the database and return the copy's path."""
    folder = store.path.parent / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(store.path, folder / "calls.db")
    (folder / "calls.db-wal").write_bytes(data)
    return folder / "calls.db"


def numbers(path):
    return [int(line.split(b" ")[0]) for line in read_lines(path)]


def recovered(path):
    """Open a store for writing and return the calls in it, and the pages that can't be used."""
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("SELECT count(*) FROM calls").fetchone()
        return numbers(path), unusable_pages(path)


def cut_at(store, offsets):
    whole = store.path.with_name("calls.db-wal").read_bytes()
    for offset in offsets:
        found, _ = recovered(damaged(store, whole[:offset]))
        assert found == list(range(sum(end <= offset for end in store.ends))), offset


def flipped(store, count, seed=0):
    """Flip one bit at a time; returns how many flips lost something, and how many were told."""
    whole = store.path.with_name("calls.db-wal").read_bytes()
    pick = random.Random(seed)
    lost = 0
    for _ in range(count):
        offset = pick.randrange(len(whole))
        data = bytearray(whole)
        data[offset] ^= 1 << pick.randrange(8)
        found, pages = recovered(damaged(store, bytes(data)))
        before = sum(end <= offset for end in store.ends)
        assert found == list(range(len(found)))
        assert len(found) >= (before if offset >= 32 else 0), offset
        lost += len(found) < len(store.ends)
        # Whatever is missing is told.
        assert bool(pages) == (len(found) < len(store.ends)), offset
    return lost


def test_d3_a_log_cut_at_some_bytes(store):
    end = store.ends[-1]
    cut_at(store, [0, 1, 31, 32, 33, *range(end - 4096, end + 1, 97), *store.ends[::5]])


@pytest.mark.reliability
def test_d3_a_log_cut_at_each_byte_of_its_last_page(store, figure):
    end = store.ends[-1]
    cut_at(store, range(end - 4096, end + 1))
    figure("cut at each of the last 4,096 bytes: all calls before the cut are there")


def test_d3_flipped_bits(store):
    assert flipped(store, 60) > 40


@pytest.mark.reliability
def test_d3_1_000_flipped_bits(store, figure):
    lost = flipped(store, 1000, seed=1)
    figure(f"1,000 flipped bits of the log: all calls before each are there, {lost} losses told")


def test_d3_a_flipped_bit_of_the_log_s_head_is_told(store, caplog):
    whole = bytearray(store.path.with_name("calls.db-wal").read_bytes())
    whole[17] ^= 4
    path = damaged(store, bytes(whole))
    with caplog.at_level(logging.WARNING), closing(SqliteOutbox(path)) as outbox:
        put(outbox, 7)
    assert "pages that can't be used" in caplog.text
    assert numbers(path) == [7]


@pytest.mark.parametrize("seed", range(3))
def test_d3_a_damaged_database_is_refused_or_read_and_nothing_else(store, seed):
    with closing(SqliteOutbox(store.path)):
        pass  # all of it is in the database now
    whole = store.path.read_bytes()
    pick = random.Random(seed)
    for _ in range(25):
        data = bytearray(whole)
        for _ in range(20):
            data[pick.randrange(len(data))] ^= 1 << pick.randrange(8)
        path = damaged(store, b"")
        path.write_bytes(bytes(data[: pick.choice([len(data), len(data) // 2, 100])]))
        try:
            list(read_lines(path))
            with closing(SqliteOutbox(path)) as outbox:
                put(outbox, 1000)
        except InputError as told:
            assert "is not a store of calls" in str(told) or "newer" in str(told)


def test_a_store_in_order_has_nothing_to_tell(store, caplog):
    with closing(SqliteOutbox(store.path)) as outbox:
        put(outbox, 1000)
        assert unusable_pages(store.path) == 0
    assert caplog.text == ""
    assert unusable_pages(store.path.with_name("none")) == 0
    tell_damage(store.path, logging.getLogger("nobody"))
    assert numbers(store.path) == [*range(30), 1000]


def test_what_an_older_log_left_behind_is_no_damage(tmp_path):
    """A log is written over from its start; the rest of the older one is no part of it."""
    path = tmp_path / "calls.db"
    with closing(connect(path)) as connection, closing(sqlite3.connect(path)) as reader:
        connection.execute("CREATE TABLE a (b)")
        for _ in range(50):
            connection.execute("INSERT INTO a VALUES (randomblob(4000))")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.execute("INSERT INTO a VALUES (1)")
        assert reader.execute("SELECT count(*) FROM a").fetchone() == (51,)
        assert unusable_pages(path) == 0
