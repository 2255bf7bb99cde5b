"""The outbox: what is acknowledged is kept, what is lost is counted, whoever dies or fails."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from stepdown.core.ports import Exchange
from stepdown.store import schema
from stepdown.store import sqlite as module
from stepdown.store.sqlite import SqliteOutbox, read_lines, read_tallies


def exchange(index, task="t", tier="small", line=None):
    data = b'{"id":"%d"}' % index if line is None else line
    return Exchange(f"id-{index}", float(index), data, task, tier, "answered", "confident", 0.9)


def put(outbox, *exchanges):
    """Submit and wait; return what each caller was told."""
    told = {}
    all_told = threading.Event()

    def tell(key, committed):
        told[key] = committed
        if len(told) == len(exchanges):
            all_told.set()

    for key, item in enumerate(exchanges):
        if outbox.submit(item, lambda committed, key=key: tell(key, committed)):
            tell(key, not outbox.health().error and not outbox.health().dropped)
    assert all_told.wait(10)
    return [told[key] for key in range(len(exchanges))]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ws" / "calls.db"


@pytest.fixture
def outbox(path):
    with closing(SqliteOutbox(path)) as made:
        yield made


def test_lines_come_back_in_order_by_task_and_tier(path, outbox):
    assert put(outbox, *(exchange(i) for i in range(1200))) == [True] * 1200
    put(outbox, exchange(2000, task="u"), exchange(2001, tier="frontier"))
    assert list(read_lines(path))[:1200] == [b'{"id":"%d"}' % i for i in range(1200)]
    assert list(read_lines(path, task="u")) == [b'{"id":"2000"}']
    assert list(read_lines(path, tier="frontier")) == [b'{"id":"2001"}']
    assert outbox.health().committed == 1202
    assert (outbox.health().waiting, outbox.health().waiting_bytes) == (0, 0)


def test_tallies(path, outbox):
    put(outbox, exchange(1), exchange(2), exchange(3, tier="frontier"))
    first, second = read_tallies(path)
    assert (first.tier, first.count, first.first_time, first.last_time) == ("small", 2, 1.0, 2.0)
    assert (second.tier, second.count) == ("frontier", 1)


def test_d9_the_same_id_twice_is_one_row(path, outbox):
    assert put(outbox, exchange(1), exchange(1)) == [True, True]
    assert len(list(read_lines(path))) == 1


def test_a_closed_store_is_read_and_appended_to(path):
    for index in range(2):
        with closing(SqliteOutbox(path)) as outbox:
            put(outbox, exchange(index))
        assert len(list(read_lines(path))) == index + 1


def test_several_are_committed_together_or_not_at_all(path, outbox):
    assert outbox.commit([exchange(i) for i in range(100)])
    assert outbox.health().committed == 100
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not outbox.commit([exchange(100), exchange(101)])
        other.execute("ROLLBACK")
    assert len(list(read_lines(path))) == 100


def test_a_slow_disk_is_left_to_the_thread_for_a_while(outbox, monkeypatch):
    monkeypatch.setattr(module, "_SLOW_S", -1.0)
    monkeypatch.setattr(module, "_PAUSES", 1e9)
    assert outbox.commit([exchange(0)])
    assert outbox.commit([exchange(1)])
    assert not outbox.commit([exchange(2)])
    assert put(outbox, exchange(2)) == [True]


def test_close_commits_what_waits_and_refuses_what_comes_after(path):
    outbox = SqliteOutbox(path)
    for index in range(500):
        outbox.submit(exchange(index), lambda committed: None)
    outbox.close()
    outbox.close()
    assert len(list(read_lines(path))) == 500
    assert put(outbox, exchange(501)) == [False]


def test_a_missing_store_has_no_lines(tmp_path):
    assert list(read_lines(tmp_path / "calls.db")) == []
    assert read_tallies(tmp_path / "calls.db") == []


def test_d6_a_locked_database_holds_nobody_up_and_loses_nothing(path, outbox):
    put(outbox, exchange(0))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert put(outbox, exchange(1), exchange(2)) == [False, False]
        assert "locked" in outbox.health().error
        assert put(outbox, exchange(3)) == [False]
        other.execute("ROLLBACK")
    outbox.close()
    assert len(list(read_lines(path))) == 4
    assert outbox.health().error == ""
    assert outbox.health().dropped == 0


def test_d4_a_full_queue_drops_counts_and_marks(path):
    outbox = SqliteOutbox(path, max_items=3)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert put(outbox, *(exchange(i) for i in range(5))) == [False] * 5
        assert outbox.health().dropped == 2
        other.execute("ROLLBACK")
    outbox.close()
    with closing(sqlite3.connect(path)) as reader:
        assert reader.execute("SELECT sum(dropped) FROM gaps").fetchone() == (2,)
    assert len(list(read_lines(path))) == 3


def test_the_queue_is_bounded_in_bytes(path):
    outbox = SqliteOutbox(path, max_bytes=100)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        put(outbox, exchange(1, line=b"x" * 101), exchange(2, line=b"x" * 100))
        assert outbox.health().dropped == 1
        other.execute("ROLLBACK")
    outbox.close()
    assert list(read_lines(path)) == [b"x" * 100]


def test_checkpoints_move_the_log_into_the_database(path, outbox):
    put(outbox, *(exchange(i, line=b"x" * 5000) for i in range(1100)))
    before = path.stat().st_size
    deadline = time.monotonic() + 5
    while before < 500 * 5000 and time.monotonic() < deadline:
        time.sleep(0.01)
        before = path.stat().st_size
    assert before > 500 * 5000


def test_many_threads_at_once(path, outbox):
    def some(start):
        put(outbox, *(exchange(start + i) for i in range(200)))

    threads = [threading.Thread(target=some, args=(1000 * t,)) for t in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(read_lines(path))) == 800
    assert outbox.health().committed == 800


def test_a_disk_that_stays_broken_does_not_hold_up_the_exit(path, monkeypatch):
    monkeypatch.setattr(module, "_RETRY_S", (0.01,))
    outbox = SqliteOutbox(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert put(outbox, exchange(1)) == [False]
        outbox.close()
    assert outbox.health().dropped == 1


WRITER = """
import sys, threading
from pathlib import Path
from stepdown.core.ports import Exchange
from stepdown.store.sqlite import SqliteOutbox
outbox = SqliteOutbox(Path(sys.argv[1]), durability=sys.argv[3])
lock = threading.Lock()
def tell(key, committed):
    with lock:
        print(key, committed, flush=True)
for index in range(10_000_000):
    key = f"{sys.argv[2]}-{index}"
    if outbox.health().waiting > 500:
        import time; time.sleep(0.001)
    if outbox.submit(Exchange(key, 0.0, key.encode()), lambda ok, key=key: tell(key, ok)):
        tell(key, not outbox.health().error)
"""


def kill_while_writing(path, round_, seconds, level):
    """Return the ids that the writer acknowledged before it was killed."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), str(round_), level], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    first = writer.stdout.readline()
    time.sleep(seconds)
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read()
    writer.stdout.close()
    writer.wait()
    lines = (first + rest).decode().split("\n")[:-1]
    return [line.removesuffix(" True") for line in lines if line.endswith(" True")]


def lost_after_kills(path, kills, level="journal"):
    acknowledged = []
    for round_ in range(kills):
        acknowledged += kill_while_writing(path, round_, 0.02 + 0.013 * (round_ % 7), level)
    stored = [line.decode() for line in read_lines(path)]
    assert len(stored) == len(set(stored))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert acknowledged
    return set(acknowledged) - set(stored)


@pytest.mark.parametrize("level", ["journal", "sync"])
def test_d1_kill_9_loses_nothing_acknowledged(path, level):
    assert lost_after_kills(path, 3, level) == set()


def test_d1_sync_waits_for_the_disk_and_async_for_nothing(path):
    path.parent.mkdir(exist_ok=True)
    level = {}
    for name in ("async", "journal", "sync"):
        with closing(schema.connect(path, name)) as connection:
            (level[name],) = connection.execute("PRAGMA synchronous").fetchone()
    assert level == {"async": 1, "journal": 1, "sync": 2}
    outbox = SqliteOutbox(path, durability="async")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert outbox.submit(exchange(0), pytest.fail)
        other.execute("ROLLBACK")
    outbox.close()
    assert len(list(read_lines(path))) == 1


def test_d4_a_full_queue_says_so(path):
    outbox = SqliteOutbox(path, max_items=1)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert not outbox.health().full
        put(outbox, exchange(0))
        assert outbox.health().full
        other.execute("ROLLBACK")
    outbox.close()


@pytest.mark.nightly
def test_d1_kill_9_loses_nothing_acknowledged_100_times(path):
    assert lost_after_kills(path, 100) == set()


@pytest.mark.parametrize("failing", ["forget", "checkpoint"])
def test_d4_what_failed_beside_the_calls_is_tried_again_without_any(path, outbox, failing):
    """A gateway that answers nothing it can't capture would else never find out that it can."""
    put(outbox, exchange(1))
    outbox._connection.close()
    if failing == "forget":
        with pytest.raises(sqlite3.Error):
            outbox.forget(0, 0)
    else:
        outbox._uncheckpointed = 10**9
        outbox._queue.put("checkpoint")
    deadline = time.monotonic() + 10
    while outbox._connection is None or outbox._uncheckpointed or outbox.health().error:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        if failing == "forget":
            outbox._uncheckpointed = 0
    assert put(outbox, exchange(2)) == [True]


def test_d4_what_is_missing_at_the_end_is_marked(path):
    outbox = SqliteOutbox(path, max_items=0)
    outbox._no_hurry_until = time.monotonic() + 60
    put(outbox, exchange(1), exchange(2))
    outbox.close()
    with closing(sqlite3.connect(path)) as reader:
        assert reader.execute("SELECT sum(dropped) FROM gaps").fetchone() == (2,)
