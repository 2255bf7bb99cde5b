"""Moving calls on: whatever fails in between, each arrives once and none is lost."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stepdown.core.ports import Exchange
from stepdown.errors import UsageError
from stepdown.store import drain as module
from stepdown.store.drain import DrainedOutbox, SinkError, drain_once, drain_orphan
from stepdown.store.postgres import PostgresCalls, PostgresSink
from stepdown.store.sqlite import SqliteOutbox, read_lines


def exchange(number, line=b"{}"):
    return Exchange(f"id-{number:06}", float(number), line, "t", "small", "answered", "confident")


def put(outbox, *numbers, **how):
    for number in numbers:
        outbox.submit(exchange(number, **how), lambda durable: None)


class FakeSink:
    """Keeps what it gets by id; `fails` says how it behaves: before, after, or not at all."""

    def __init__(self):
        self.rows = {}
        self.gaps = {}
        self.fails = ""
        self.deliveries = 0
        self.closed = False

    def store(self, batch):
        if self.fails == "before":
            raise SinkError("down")
        self.deliveries += len(batch.calls)
        self.rows |= {row[1]: row for row in batch.calls}
        self.gaps |= {gap[:2]: gap[2] for gap in batch.gaps}
        if self.fails == "after":
            raise SinkError("gone after the commit")

    def close(self):
        self.closed = True


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.db"


@pytest.fixture
def outbox(path):
    with closing(SqliteOutbox(path)) as made:
        yield made


def settled(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_oldest_rows_go_first_and_are_gone_here(path, outbox):
    sink = FakeSink()
    put(outbox, *range(300))
    settled(lambda: outbox.health().committed == 300)
    assert drain_once(outbox, sink) == (256, True)
    assert sorted(sink.rows) == [f"id-{n:06}" for n in range(256)]
    assert len(list(read_lines(path))) == 44
    assert drain_once(outbox, sink) == (44, False)
    assert drain_once(outbox, sink) == (0, False)


def test_a_batch_is_bounded_in_bytes(outbox, monkeypatch):
    monkeypatch.setattr(module, "_BATCH_BYTES", 1000)
    put(outbox, *range(5), line=b"x" * 400)
    settled(lambda: outbox.health().committed == 5)
    assert drain_once(outbox, FakeSink()) == (3, True)


@pytest.mark.parametrize("fails", ["before", "after"])
def test_d9_a_failure_on_either_side_of_the_commit_moves_each_row_once(path, outbox, fails):
    sink = FakeSink()
    put(outbox, 1, 2)
    settled(lambda: outbox.health().committed == 2)
    sink.fails = fails
    with pytest.raises(SinkError):
        drain_once(outbox, sink)
    assert len(list(read_lines(path))) == 2
    sink.fails = ""
    drain_once(outbox, sink)
    assert len(sink.rows) == 2
    assert list(read_lines(path)) == []


def test_gaps_are_moved_too(path):
    sink = FakeSink()
    with closing(SqliteOutbox(path, max_items=0)) as outbox:
        outbox._no_hurry_until = time.monotonic() + 60
        put(outbox, 1, 2)
        outbox._no_hurry_until = 0.0
        put(outbox, 3)
        assert drain_once(outbox, sink) == (1, False)
    assert list(sink.gaps.values()) == [2]
    with closing(sqlite3.connect(path)) as reader:
        assert reader.execute("SELECT count(*) FROM gaps").fetchone() == (0,)


def test_a_gateway_s_outbox_is_drained_while_it_runs_and_when_it_ends(path):
    sink = FakeSink()
    outbox = DrainedOutbox(SqliteOutbox(path), sink)
    put(outbox, *range(1000))
    settled(lambda: len(sink.rows) == 1000)
    settled(lambda: (outbox.health().behind, outbox.health().moved) == (0, 1000))
    assert outbox.health().store_error == ""
    put(outbox, 1001)
    outbox.close()
    assert len(sink.rows) == 1001
    assert sink.closed


def test_d6_while_the_store_is_down_calls_wait_and_then_go(path, monkeypatch):
    monkeypatch.setattr(module, "_PAUSE_S", (0.01, 0.05))
    sink = FakeSink()
    sink.fails = "before"
    outbox = DrainedOutbox(SqliteOutbox(path), sink)
    put(outbox, *range(400))
    settled(lambda: outbox.health().behind == 400)
    assert outbox.health().store_error == "down"
    assert outbox.health().error == ""
    sink.fails = ""
    settled(lambda: len(sink.rows) == 400)
    settled(lambda: outbox.health().store_error == "")
    outbox.close()


def test_d4_what_may_wait_is_bounded_and_the_rest_is_counted(path, monkeypatch):
    monkeypatch.setattr(module, "_MEASURE_S", 0.0)
    monkeypatch.setattr(module, "_PAUSE_S", (0.01, 0.02))
    sink = FakeSink()
    sink.fails = "before"
    outbox = DrainedOutbox(SqliteOutbox(path), sink, max_disk_bytes=200_000)
    taken = 0
    while not outbox.health().full:
        put(outbox, taken, line=b"x" * 5000)
        taken += 1
        time.sleep(0.001)
    put(outbox, *range(1_000_000, 1_000_010))
    assert outbox.health().dropped >= 10
    assert outbox.health().behind_bytes < 2_000_000
    sink.fails = ""
    settled(lambda: not outbox.health().full)
    put(outbox, 2_000_000)
    outbox.close()
    assert len(sink.rows) + sum(sink.gaps.values()) == taken + 11
    assert sum(sink.gaps.values()) == outbox.health().dropped


def test_what_was_there_at_the_start_does_not_close_the_outbox(path):
    with closing(SqliteOutbox(path)) as old:
        put(old, *range(100), line=b"x" * 10_000)
    sink = FakeSink()
    sink.fails = "before"
    outbox = DrainedOutbox(SqliteOutbox(path), sink, max_disk_bytes=100_000)
    settled(lambda: outbox.health().behind == 100)
    assert not outbox.health().full
    outbox.close()


def test_what_a_former_worker_left_is_moved(path):
    sink = FakeSink()
    with closing(SqliteOutbox(path)) as old:
        put(old, *range(600))
        with pytest.raises(UsageError):
            drain_orphan(path, sink)
    assert drain_orphan(path, sink) == 600
    assert len(sink.rows) == 600


class Draining(RuleBasedStateMachine):
    """The outbox and its drainer against lists: what is acknowledged, and what has arrived."""

    folder = Path()

    def __init__(self):
        super().__init__()
        self.run = self.folder / f"run-{time.monotonic_ns()}"
        self.generation = 0
        self.next = 0
        self.acknowledged = []
        self.sink = FakeSink()
        self.open()

    @property
    def path(self):
        return self.run / str(self.generation) / "calls.db"

    def open(self):
        self.outbox = SqliteOutbox(self.path)

    @rule(size=st.integers(0, 20_000))
    def append(self, size):
        number, self.next = self.next, self.next + 1
        told = []
        if self.outbox.submit(exchange(number, b"x" * size), told.append):
            told.append(not self.outbox.health().error)
        settled(lambda: told)
        assert told == [True]
        self.acknowledged.append(f"id-{number:06}")

    @rule(count=st.integers(2, 300))
    def append_many(self, count):
        for _ in range(count):
            self.append(size=10)

    @rule()
    def append_the_last_one_again(self):
        if self.next:
            put(self.outbox, self.next - 1)
            settled(lambda: self.outbox.health().waiting == 0)

    @rule()
    def drain(self):
        drain_once(self.outbox, self.sink)

    @rule(fails=st.sampled_from(["before", "after"]))
    def drain_badly(self, fails):
        self.sink.fails = fails
        try:
            drain_once(self.outbox, self.sink)
        except SinkError:
            pass
        finally:
            self.sink.fails = ""

    @rule()
    def checkpoint(self):
        self.outbox._queue.put("checkpoint")

    @rule()
    def restart(self):
        self.outbox.close()
        self.open()

    @rule()
    def crash(self):
        """What the files hold at this moment is what a killed process leaves."""
        with self.outbox._connection_lock:
            target = self.run / str(self.generation + 1)
            target.mkdir(parents=True)
            for file in self.path.parent.iterdir():
                if not file.name.endswith("-shm"):
                    shutil.copy(file, target / file.name)
        self.outbox.close()
        self.generation += 1
        self.open()

    @precondition(lambda self: self.next % 5 == 0)
    @invariant()
    def none_is_lost(self):
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as reader:
            waiting = [row[0] for row in reader.execute("SELECT id FROM calls ORDER BY seq")]
        assert len(waiting) == len(set(waiting))
        assert set(self.acknowledged) == set(waiting) | set(self.sink.rows)

    def teardown(self):
        self.outbox.close()
        while drain_orphan(self.path, self.sink):
            pass
        assert sorted(self.sink.rows) == sorted(self.acknowledged)
        shutil.rmtree(self.run)


def steps(tmp_path, examples, each):
    Draining.folder = tmp_path
    case = Draining.TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=each,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    case("runTest").runTest()


def test_d13_the_outbox_against_its_model_100_steps(tmp_path):
    steps(tmp_path, 5, 20)


@pytest.mark.reliability
def test_d13_the_outbox_against_its_model_1_000_steps(tmp_path, figure):
    steps(tmp_path, 20, 50)
    figure("1,000 steps of a state machine against a list, 0 violations")


@pytest.mark.nightly
def test_d13_the_outbox_against_its_model_10_000_steps(tmp_path):
    steps(tmp_path, 100, 100)


DRAINER = """
import sys, os, signal
from pathlib import Path
from stepdown.store.drain import drain_once
from stepdown.store.postgres import PostgresSink
from stepdown.store.sqlite import SqliteOutbox
class Killed(PostgresSink):
    def store(self, batch):
        super().store(batch)
        os.kill(os.getpid(), signal.SIGKILL)
drain_once(SqliteOutbox(Path(sys.argv[1])), Killed(sys.argv[2]))
"""


def killed_between(path, url, server, kills):
    """Kill a drainer after the database's commit and before the outbox's delete, again and again;
    each round one more batch of calls is captured."""
    expected = 0
    for round_ in range(kills):
        with closing(SqliteOutbox(path)) as outbox:
            put(outbox, *range(expected, expected + 20))
            expected += 20
        done = subprocess.run([sys.executable, "-c", DRAINER, str(path), url], check=False)
        assert done.returncode == -signal.SIGKILL
        if round_ % 3 == 2:
            sink = PostgresSink(url)
            assert drain_orphan(path, sink)
            sink.close()
    sink = PostgresSink(url)
    drain_orphan(path, sink)
    sink.close()
    calls = [call for call, _ in PostgresCalls(url).lines()]
    assert calls == [f"id-{n:06}" for n in range(expected)]
    ((total,),) = server.ask(url, "SELECT sum(time) FROM stepdown_calls")
    assert total == sum(range(expected))
    assert list(read_lines(path)) == []


@pytest.mark.reliability
def test_d9_killed_between_the_two_commits_20_times(path, url, server, figure):
    killed_between(path, url, server, 20)
    figure("20 kills between the database's commit and the outbox's delete: each call there once")


@pytest.mark.nightly
def test_d9_killed_between_the_two_commits_100_times(path, url, server):
    killed_between(path, url, server, 100)
