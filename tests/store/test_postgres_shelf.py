"""P-3 for the shared database: rows of somebody, and rows that are too old, are gone from it."""

import json
from contextlib import closing

import pytest

from stepdown.core.people import mark_of
from stepdown.errors import InputError
from stepdown.store.drain import Batch
from stepdown.store.keeping import expire, sweep
from stepdown.store.postgres import PostgresCalls, PostgresSink
from stepdown.store.postgres_shelf import PostgresShelf


def row(number, user):
    line = json.dumps({"id": f"c{number}", "request": {"user": user}}).encode()
    return (number, f"c{number}", float(number), "", "frontier", "relayed", "no_route", None, line)


@pytest.fixture
def filled(url):
    with closing(PostgresSink(url)) as sink:
        sink.store(Batch([row(n, "ann" if n % 3 else "bob") for n in range(900)], [], False))
    return url


def test_p3_somebody_is_taken_out_of_the_database(filled):
    shelf = PostgresShelf(filled)
    removed, _ = sweep(shelf, {mark_of("ann"): 1e9})
    assert removed == 600
    assert shelf.shrink()
    lines = [line for _, line in PostgresCalls(filled).lines()]
    assert len(lines) == 300
    assert not [line for line in lines if b"ann" in line]


def test_p3_what_is_too_old_expires(filled):
    assert expire(PostgresShelf(filled), 500.0) == 500
    assert expire(PostgresShelf(filled), 500.0) == 0
    assert len(list(PostgresCalls(filled).lines())) == 400


def test_who_reads_on_behind_a_row_that_is_gone_is_not_lost(filled):
    calls = PostgresCalls(filled)
    with calls.follow() as store:
        rows = list(store.after(0))
        last = rows[-1]
        assert store.same_store(last.seq, last.id)
    PostgresShelf(filled).remove([row.seq for row in rows])
    with calls.follow() as store:
        assert store.same_store(last.seq, last.id)
        assert not store.same_store(last.seq + 5, "other")


def test_a_database_that_is_down_is_said(server):
    with pytest.raises(InputError, match="can't be changed"):
        PostgresShelf("postgresql://tester@127.0.0.1:1/postgres").expire(1.0, 1)
