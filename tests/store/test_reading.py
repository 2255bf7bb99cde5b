"""Reading captured calls: one file, or a database and what waits for it, each call once."""

from contextlib import closing

import pytest

from stepdown.core.ports import Exchange, Tally
from stepdown.store.drain import drain_once
from stepdown.store.postgres import PostgresCalls, PostgresSink
from stepdown.store.reading import SharedCalls, SqliteCalls
from stepdown.store.sqlite import SqliteOutbox


def put(outbox, *numbers, tier="small"):
    for n in numbers:
        line = b'{"n":%d}' % n
        item = Exchange(f"id-{n:03}", float(n), line, "t", tier, "answered", "confident", 0.9)
        outbox.submit(item, lambda durable: None)


def test_one_file(tmp_path):
    path = tmp_path / "calls.db"
    store = SqliteCalls(path)
    assert (list(store.lines()), store.tallies()) == ([], [])
    with closing(SqliteOutbox(path)) as outbox:
        put(outbox, 1, 2)
        put(outbox, 3, tier="frontier")
        assert list(store.lines(tier="small")) == [b'{"n":1}', b'{"n":2}']
        assert [tally.count for tally in store.tallies()] == [2, 1]


@pytest.fixture
def shared(tmp_path, url):
    """Two outboxes of one workspace; of the first's calls 1 to 4 the database has 1 to 3, and the
    outbox still has all four: its gateway died before it deleted them."""
    paths = (tmp_path / "calls.db", tmp_path / "calls-2.db", tmp_path / "calls-3.db")
    sink = PostgresSink(url)
    for path, numbers in zip(paths, [(1, 2, 3), (10, 11)], strict=False):
        with closing(SqliteOutbox(path)) as outbox:
            put(outbox, *numbers)
    with closing(SqliteOutbox(paths[0])) as outbox:
        outbox.forget = lambda seq, gap: None
        drain_once(outbox, sink)
        put(outbox, 4, tier="frontier")
    sink.close()
    return SharedCalls(PostgresCalls(url), paths)


def test_each_call_is_read_once_wherever_it_is(shared):
    assert list(shared.lines()) == [b'{"n":%d}' % n for n in (1, 2, 3, 4, 10, 11)]
    assert list(shared.lines(tier="frontier")) == [b'{"n":4}']


def test_each_call_is_counted_once_wherever_it_is(shared):
    kind = ("t", "small", "answered", "confident")
    assert shared.tallies() == [
        Tally(*kind, 5, 1.0, 11.0),
        Tally("t", "frontier", "answered", "confident", 1, 4.0, 4.0),
    ]
