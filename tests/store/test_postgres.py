"""The shared store on a real Postgres: once each, in order, in time, and never a password told."""

import sys
import threading
import time

import psycopg
import pytest
from tests.store.database import PASSWORD

from stepdown.errors import ConfigError, InputError, Unavailable
from stepdown.store import postgres as module
from stepdown.store.drain import Batch, SinkError
from stepdown.store.postgres import PostgresCalls, PostgresSink
from stepdown.store.postgres_link import SCHEMA_VERSION, checked_url


def rows(*numbers, tier="small"):
    return [
        (n, f"id-{n}", float(n), "t", tier, "answered", "confident", 0.5, b'{"n":%d}' % n)
        for n in numbers
    ]


@pytest.fixture
def sink(url):
    made = PostgresSink(url)
    yield made
    made.close()


def test_calls_come_back_by_time_task_and_tier(url, sink):
    sink.store(Batch(rows(3, 1), [], False))
    sink.store(Batch(rows(2, tier="frontier"), [], False))
    store = PostgresCalls(url)
    assert list(store.lines()) == [(f"id-{n}", b'{"n":%d}' % n) for n in (1, 2, 3)]
    assert [call for call, _ in store.lines(tier="frontier")] == ["id-2"]
    assert list(store.lines(task="other")) == []


def test_thousands_are_read_a_page_at_a_time(url, sink):
    sink.store(Batch(rows(*range(1700)), [], False))
    assert [call for call, _ in PostgresCalls(url).lines()] == [f"id-{n}" for n in range(1700)]


def test_tallies_and_which_ids_are_known(url, sink):
    sink.store(Batch([*rows(1, 2, 5), *rows(3, tier="frontier")], [], False))
    tallies, known = PostgresCalls(url).tallies(["id-1", "id-9"])
    assert [(tally.tier, tally.count) for tally in tallies] == [("small", 3), ("frontier", 1)]
    assert (tallies[0].first_time, tallies[0].last_time) == (1.0, 5.0)
    assert known == {"id-1"}


def test_one_reads_on_behind_what_was_read(url, sink):
    sink.store(Batch(rows(1, 2), [], False))
    store = PostgresCalls(url)
    with store.follow() as following:
        first = list(following.after(0))
        assert [row.id for row in first] == ["id-1", "id-2"]
        last = first[-1]
        sink.store(Batch(rows(2, 0), [], False))
        newer = []
        for row in following.after(last.seq):
            newer.append(row.id)
            assert following.line("id-2") == b'{"n":2}'
        assert newer == ["id-0"]
        assert following.line("id-9") is None
        assert following.same_store(last.seq, "id-2")
        assert not following.same_store(last.seq, "id-0")


def test_whoever_commits_late_is_not_passed_over(url):
    """Drainers that write at once: what is read on behind a number is never less than a number
    that comes later."""
    stop = threading.Event()
    seen = []

    def drain(start):
        one = PostgresSink(url)
        for n in range(start, start + 60):
            one.store(Batch(rows(n), [], False))
        one.close()

    def read():
        last = 0
        with PostgresCalls(url).follow() as following:
            while True:
                ended = stop.is_set()
                for row in following.after(last):
                    seen.append(row.id)
                    last = row.seq
                if ended:
                    return

    drainers = [threading.Thread(target=drain, args=(n * 1000,)) for n in range(4)]
    reader = threading.Thread(target=read)
    for thread in (*drainers, reader):
        thread.start()
    for thread in drainers:
        thread.join()
    stop.set()
    reader.join()
    assert len(seen) == len(set(seen)) == 240


def test_d9_the_same_rows_and_gaps_again_are_stored_once(server, url, sink):
    batch = Batch(rows(1, 2), [(1, 7.0, 3, "full"), (2, 7.0, 3, "full")], False)
    for _ in range(3):
        sink.store(batch)
    assert server.ask(url, "SELECT count(*) FROM stepdown_calls") == [(2,)]
    assert server.ask(url, "SELECT sum(dropped) FROM stepdown_gaps") == [(6,)]


def test_what_the_database_cannot_hold_in_text_is_left_out(url, sink):
    row = (1, "a\0b", 1.0, "t\0", "small", "answered", "x", None, b"\0\xff")
    sink.store(Batch([row], [], False))
    assert list(PostgresCalls(url).lines(task="t")) == [("ab", b"\0\xff")]


def test_d12_many_at_once_make_the_tables_once(server, url):
    sinks = [PostgresSink(url) for _ in range(6)]
    failed = []

    def prepare(one):
        try:
            one.prepare()
        except SinkError as problem:
            failed.append(problem)

    threads = [threading.Thread(target=prepare, args=(one,)) for one in sinks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in sinks:
        one.close()
    assert failed == []
    assert server.ask(url, "SELECT version FROM stepdown_schema") == [(SCHEMA_VERSION,)]


def test_d12_a_newer_schema_is_refused_and_left_alone(server, url, sink):
    sink.prepare()
    sink.close()
    server.ask(url, "UPDATE stepdown_schema SET version = 99")
    with pytest.raises(InputError, match="newer"):
        sink.prepare()
    with pytest.raises(InputError, match="newer"):
        PostgresCalls(url).tallies()


def test_a_dropped_connection_is_opened_again(server, url, sink):
    sink.store(Batch(rows(1), [], False))
    server.ask(
        url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    )
    with pytest.raises(SinkError):
        sink.store(Batch(rows(2), [], False))
    sink.store(Batch(rows(2), [], False))
    assert server.ask(url, "SELECT count(*) FROM stepdown_calls") == [(2,)]


def test_p1_no_password_in_what_is_told(server):
    wrong = PostgresSink(server.url(password="wr0ng%2Fpw"))
    with pytest.raises(SinkError) as told:
        wrong.prepare()
    assert "password authentication failed" in str(told.value)
    assert "wr0ng" not in str(told.value)
    with pytest.raises(InputError) as told:
        PostgresCalls(server.url("nowhere")).tallies()
    assert PASSWORD not in str(told.value)
    assert "nowhere" in str(told.value)


@pytest.mark.parametrize(
    "url",
    ["postgresql://u:p@ss/w0rd@host:1/x", "postgresql://u:p/w0rd@host/x", "postgresql://[w0rd"],
)
def test_p1_a_url_that_is_none_is_not_repeated(url):
    with pytest.raises(ConfigError, match="percent-encode") as told:
        checked_url(url)
    assert "w0rd" not in str(told.value)


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unavailable, match=r"pip install 'stepdown\[postgres\]'"):
        PostgresSink("postgresql://x")


def test_d6_a_server_that_does_not_answer_is_left_in_time(server, url, sink, monkeypatch):
    monkeypatch.setattr(module, "_WRITE_S", 0.2)
    sink.prepare()
    began = time.monotonic()
    with server.frozen(), pytest.raises(SinkError):
        sink.store(Batch(rows(1), [], False))
    assert time.monotonic() - began < 10
    sink.store(Batch(rows(1), [], False))
    assert server.ask(url, "SELECT count(*) FROM stepdown_calls") == [(1,)]


def test_d6_a_statement_that_waits_for_a_lock_is_given_up(server, url, sink, monkeypatch):
    monkeypatch.setattr(module, "_WRITE_S", 0.3)
    sink.prepare()
    with psycopg.connect(url) as other:
        other.execute("LOCK TABLE stepdown_calls")
        with pytest.raises(SinkError, match="timeout"):
            sink.store(Batch(rows(1), [], False))
    sink.store(Batch(rows(1), [], False))


def test_s1_no_value_becomes_part_of_a_statement(url, sink):
    nasty = "'); DROP TABLE stepdown_calls; --"
    row = (1, nasty, 1.0, nasty, nasty, nasty, nasty, None, nasty.encode())
    sink.store(Batch([row], [(1, 1.0, 1, nasty)], False))
    store = PostgresCalls(url)
    assert list(store.lines(task=nasty, tier=nasty)) == [(nasty, nasty.encode())]
    assert store.tallies([nasty])[1] == {nasty}


@pytest.mark.parametrize("drainers", [4])
def test_d7_drainers_with_the_same_rows_do_not_deadlock(server, url, drainers):
    failures = []

    def drain(seed):
        one = PostgresSink(url)
        for start in range(0, 2000, 100):
            batch = rows(*range(start, start + 200))
            batch = batch[seed * 40 :] + batch[: seed * 40]
            try:
                one.store(Batch(batch, [], False))
            except SinkError as problem:
                failures.append(str(problem))
        one.close()

    threads = [threading.Thread(target=drain, args=(seed,)) for seed in range(drainers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert server.ask(url, "SELECT count(*) FROM stepdown_calls") == [(2100,)]
