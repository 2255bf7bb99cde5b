"""The ledger: each step once, on disk, and what it says of the money."""

import sqlite3
from contextlib import closing

import pytest

from stepdown.core.calls import Answer, Message, Request, Usage
from stepdown.core.labels import (
    Batched,
    Failed,
    Kept,
    Label,
    Parsed,
    Reserved,
    Sent,
    Spend,
    Stored,
)
from stepdown.errors import InputError, UsageError
from stepdown.store.ledger import Ledger, read_labels, read_requests, read_spend

TERMS = {"address": "http://t/v1", "labels": "a"}


@pytest.fixture
def ledger(tmp_path):
    with closing(Ledger(tmp_path / "labels.db")) as opened:
        yield opened


def reserved(key, **more):
    return Reserved(key, f"call-{key}", "random", 0.5, "src", **more)


def test_an_item_from_reserved_to_a_label(ledger):
    run = ledger.begin("t1", "gpt", TERMS)
    ledger.commit(run.id, [reserved("k")])
    assert [(kept.reserved, kept.sends) for kept in ledger.kept(run.id)] == [(reserved("k"), 0)]
    ledger.commit(run.id, [Sent("k", 1, 10.0, 70)])
    (kept,) = ledger.kept(run.id)
    assert (kept.sends, kept.unknown, kept.raw) == (1, 1, None)
    assert ledger.spend(run.id) == Spend(0, 0, 0, 1, 0, 70)
    big = 12 * 10**18
    ledger.commit(run.id, [Stored("k", 1, b"{}", 11.0, Usage(3, 4), big)])
    (kept,) = ledger.kept(run.id)
    assert (kept.raw, kept.unknown, ledger.done(run.id)) == (b"{}", 0, 1)
    assert list(read_labels(ledger.path, "t1")) == []
    ledger.commit(run.id, [Parsed("k", "answered", Answer("yes"))])
    assert list(ledger.kept(run.id)) == []
    assert ledger.done(run.id) == 1
    assert ledger.spend(run.id) == read_spend(ledger.path, "t1") == Spend(big, 1, at_most=big)
    assert list(read_labels(ledger.path, "t1")) == [
        Label(
            "k", "t1", "call-k", "gpt", "random", "answered", Answer("yes"), 0.5, "src", 0,
            Usage(3, 4), big, 11.0,
        )
    ]  # fmt: skip
    assert list(read_labels(ledger.path, "other")) == []


def test_a_stored_answer_is_not_stored_again(ledger):
    run = ledger.begin("t1", "gpt", TERMS)
    ledger.commit(run.id, [reserved("k"), Sent("k", 1, 1.0), Stored("k", 1, b"first", 2.0)])
    ledger.commit(run.id, [Sent("k", 2, 3.0), Stored("k", 2, b"second", 4.0), reserved("k")])
    assert [kept.raw for kept in ledger.kept(run.id)] == [b"first"]


def test_a_batch_is_under_way_from_before_it_is_created_until_it_has_ended(ledger):
    run = ledger.begin("t1", "gpt", TERMS)
    batch, address = Batched("name", 5.0), TERMS["address"]
    sent = [Sent(key, 1, 5.0, 10, "name") for key in "ab"]
    ledger.commit(run.id, [*map(reserved, "abc"), batch, *sent, Sent("c", 1, 5.0, 10)])
    assert ledger.batches("t1", "gpt", address) == [batch]
    assert ledger.batches("t1", "other", address) == ledger.batches("t2", "gpt", address) == []
    assert ledger.batches("t1", "gpt", "http://other/v1") == []
    assert ledger.sent_in("name") == {"a": (1, 10), "b": (1, 10)}
    assert {one.reserved.key: one.batch for one in ledger.kept(run.id)} == {
        "a": "name",
        "b": "name",
        "c": "",
    }
    heard = Batched("name", 5.0, "batch_1")
    ledger.commit(run.id, [heard, Stored("a", 1, b"{}", 6.0)])
    assert ledger.batches("t1", "gpt", address) == [heard]
    assert ledger.sent_in("name") == {"b": (1, 10)}
    ended = [Failed("b", 1, "not run", paid=False), Batched("name", 5.0, "batch_1", ended=True)]
    ledger.commit(run.id, ended)
    assert (ledger.batches("t1", "gpt", address), ledger.sent_in("name")) == ([], {})
    assert all(one.batch == "" for one in ledger.kept(run.id))


def test_what_failed_is_counted_by_what_it_may_have_cost(ledger):
    run = ledger.begin("t1", "gpt", TERMS)
    steps = [
        *(reserved(key) for key in "abcd"),
        *(Sent(key, 1, 1.0, 10) for key in "abcd"),
        Failed("a", 1, "rate limited", paid=False),
        Failed("b", 1, "not an answer", paid=True),
        Failed("c", 1, "timed out", paid=None),
        Stored("d", 1, b"{}", 2.0),
    ]
    ledger.commit(run.id, steps)
    assert ledger.spend(run.id) == Spend(0, 1, 1, 1, 1, 30)
    ledger.commit(run.id, [Sent("c", 2, 1.0, 10), Stored("c", 2, b"{}", 2.0, None, 7)])
    assert ledger.spend(run.id) == Spend(7, 2, 1, 1, 1, 37, 7)
    ledger.commit(run.id, [Sent("a", 2, 1.0, None)])
    assert ledger.spend(run.id).at_most is None


def test_other_terms_are_another_run(ledger):
    assert ledger.last("t1", "gpt") is None
    first = ledger.begin("t1", "gpt", TERMS)
    assert ledger.find("t1", "gpt", TERMS) == first
    terms = TERMS | {"labels": "b"}
    assert ledger.find("t1", "gpt", terms) is None
    other = ledger.begin("t1", "gpt", terms)
    assert other.id != first.id
    assert (ledger.last("t1", "gpt"), ledger.find("t1", "gpt", TERMS)) == (other, first)
    assert ledger.last("t1", "other") is None
    ledger.commit(first.id, [reserved("k"), Sent("k", 1, 1.0, 5), Stored("k", 1, b"{}", 1.0)])
    assert (ledger.done(first.id), ledger.done(other.id)) == (1, 0)
    # What was paid for serves the newer run as well; what it cost stays where it was paid.
    ledger.commit(other.id, [reserved("k")])
    assert (ledger.done(first.id), ledger.done(other.id)) == (0, 1)
    assert ledger.spend(other.id) == Spend()
    owner, found = ledger.found(reserved("k"))
    assert (owner, found.raw, found.sends) == (other.id, b"{}", 1)
    assert ledger.found(reserved("none")) == ("", Kept(reserved("none")))
    assert (ledger.items(first.id), ledger.items(other.id)) == (set(), {"call-k"})
    # It is read anew, by what the newer run takes for a label; within a run it is read once.
    ledger.commit(other.id, [Parsed("k", "answered", Answer("x")), reserved("k")])
    assert list(ledger.kept(other.id)) == []
    ledger.commit(first.id, [reserved("k")])
    assert [kept.raw for kept in ledger.kept(first.id)] == [b"{}"]


def test_requests_that_no_log_has_are_kept(ledger):
    run = ledger.begin("t1", "gpt", TERMS)
    request = Request("m", (Message("user", "made up"),))
    ledger.commit(run.id, [Reserved("k", "synthetic-1", "synthetic", request=request)])
    assert read_requests(ledger.path, "t1") == {"synthetic-1": request}
    assert [kept.reserved.request for kept in ledger.kept(run.id)] == [request]


def test_one_writer_and_private(ledger, tmp_path):
    with pytest.raises(UsageError, match="Another labelling run"):
        Ledger(ledger.path)
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_many_items_are_read_page_by_page(ledger):
    run = ledger.begin("t1", "gpt", TERMS)
    keys = [f"{number:04}" for number in range(1201)]
    ledger.commit(run.id, [reserved(key) for key in keys])
    assert [kept.reserved.key for kept in ledger.kept(run.id)] == keys
    for key in keys:
        ledger.commit(run.id, [Parsed(key, "answered", Answer("x"))])
    assert sum(1 for _ in read_labels(ledger.path, "t1")) == 1201


def test_a_step_that_fails_keeps_nothing_of_its_batch(ledger):
    run = ledger.begin("t1", "gpt", TERMS)
    with pytest.raises(UsageError, match=r"labels\.db can't be written"):
        ledger.commit(run.id, [reserved("k"), Sent("k", None, 1.0)])  # pyright: ignore[reportArgumentType]
    assert list(ledger.kept(run.id)) == []
    assert ledger.cramped


def test_no_ledger_and_no_ledger_of_ours(tmp_path):
    assert list(read_labels(tmp_path / "none.db", "t")) == []
    assert read_spend(tmp_path / "none.db", "t") == Spend()
    path = tmp_path / "labels.db"
    path.write_bytes(b"no database at all, but long enough to be taken for one" * 20)
    with pytest.raises(InputError):
        list(read_labels(path, "t"))
    with pytest.raises(UsageError):
        Ledger(path)
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9")
    with pytest.raises(InputError, match="newer"):
        Ledger(path)


def test_an_item_has_the_reason_of_the_run_that_wants_it(ledger):
    first, second = ledger.begin("t1", "gpt", TERMS), ledger.begin("t1", "gpt", {})
    ledger.commit(first.id, [Reserved("k", "call-k", "again", 0.1)])
    ledger.commit(second.id, [reserved("k")])
    (kept,) = ledger.kept(second.id)
    assert kept.reserved == Reserved("k", "call-k", "random", 0.5)
    # What was drawn stays so, though it is asked again by and by.
    ledger.commit(first.id, [Reserved("k", "call-k", "again", 0.1)])
    (kept,) = ledger.kept(first.id)
    assert (kept.reserved.why, kept.reserved.probability) == ("random", 0.5)


def test_what_cannot_be_read_is_not_said_to_be_unwritable(ledger):
    run = ledger.begin("t1", "gpt", TERMS)
    with closing(sqlite3.connect(ledger.path)) as connection:
        connection.execute("DROP TABLE items")
    with pytest.raises(UsageError, match=r"labels\.db can't be read \(no such table"):
        ledger.done(run.id)
