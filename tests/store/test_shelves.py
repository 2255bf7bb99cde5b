"""P-3 for the gateway's own file: what is taken out is gone from the pages and from the log."""

import json
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdown.core.ports import Exchange
from stepdown.store.following import follow
from stepdown.store.reading import read_lines
from stepdown.store.shelves import SqliteShelf
from stepdown.store.sqlite import SqliteOutbox


def exchange(number, time=None, size=300):
    said = {"user": f"u{number % 3}", "text": f"canary{number}!" * size}
    line = json.dumps({"id": f"c{number}", "request": said}).encode()
    return Exchange(f"c{number}", float(number if time is None else time), line)


@pytest.fixture
def outbox(tmp_path):
    with closing(SqliteOutbox(tmp_path / "calls.db")) as opened:
        yield opened


def raw(path):
    return b"".join(p.read_bytes() for p in path.parent.glob(f"{path.name}*"))


def test_p3_removed_rows_leave_no_bytes(outbox):
    assert outbox.commit([exchange(n) for n in range(200)])
    shelf = SqliteShelf(outbox)
    rows = shelf.after(-1, 1e9)
    assert [seq for seq, _, _ in rows] == list(range(1, 201))
    shelf.remove([seq for seq, when, _ in rows if when % 2])
    assert shelf.shrink()
    kept = raw(outbox.path)
    assert [n for n in range(200) if f"canary{n}!".encode() in kept] == list(range(0, 200, 2))
    assert outbox.commit([exchange(500)])


def test_the_newest_row_stays_without_its_content(outbox):
    outbox.commit([exchange(n) for n in range(3)])
    with follow(outbox.path) as store:
        assert store.same_store(3, "c2")
    shelf = SqliteShelf(outbox)
    shelf.remove([1, 2, 3])
    assert shelf.shrink()
    assert b"canary" not in raw(outbox.path)
    (line,) = read_lines(outbox.path)
    assert json.loads(line)["request"] is None
    with follow(outbox.path) as store:
        assert store.same_store(3, "c2")
    outbox.commit([exchange(9)])
    assert [seq for seq, _, _ in shelf.after(-1, 1e9)] == [3, 4]


def test_what_is_too_old_goes_in_batches_and_the_newest_is_emptied_once(outbox):
    outbox.commit([exchange(n) for n in range(10)])
    shelf = SqliteShelf(outbox)
    assert [shelf.expire(6.0, 4), shelf.expire(6.0, 4), shelf.expire(6.0, 4)] == [4, 2, 0]
    assert [seq for seq, _, _ in shelf.after(-1, 1e9)] == [7, 8, 9, 10]
    assert [shelf.expire(99.0, 50), shelf.expire(99.0, 50)] == [4, 0]
    assert len(list(read_lines(outbox.path))) == 1


def test_somebody_who_reads_keeps_the_log_from_being_cut(outbox):
    outbox.commit([exchange(n) for n in range(5)])
    shelf = SqliteShelf(outbox)
    with closing(sqlite3.connect(outbox.path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM calls").fetchone()
        shelf.remove([1])
        assert not shelf.shrink()
    assert shelf.shrink()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 59), max_size=20), max_size=5), st.integers(1, 40))
def test_p3_whatever_is_removed_in_whatever_order_is_gone(tmp_path_factory, rounds, size):
    path = tmp_path_factory.mktemp("shelf") / "calls.db"
    with closing(SqliteOutbox(path)) as outbox:
        outbox.commit([exchange(n, size=size) for n in range(60)])
        shelf = SqliteShelf(outbox)
        for some in rounds:
            shelf.remove([n + 1 for n in some])
        assert shelf.shrink()
        gone = {n for some in rounds for n in some}
        kept = raw(path)
        assert {n for n in range(60) if f"canary{n}!".encode() not in kept} == gone
