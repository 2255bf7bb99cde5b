"""Reading on in a store from where one stopped."""

from contextlib import closing

import pytest

from stepdown.core.ports import Exchange
from stepdown.errors import InputError
from stepdown.store.following import follow
from stepdown.store.sqlite import SqliteOutbox


def keep(path, *ids):
    with closing(SqliteOutbox(path)) as outbox:
        for id in ids:
            outbox.submit(Exchange(id, 1.0, id.encode()), lambda durable: None)


def test_rows_come_once_in_order_over_several_readings(tmp_path):
    path = tmp_path / "calls.db"
    ids = [f"{number:04}" for number in range(1200)]
    keep(path, *ids)
    with follow(path) as store:
        rows = list(store.after(0))
    assert [row.id for row in rows] == ids
    keep(path, "more")
    with follow(path) as store:
        assert store.same_store(rows[-1].seq, rows[-1].id)
        assert [row.id for row in store.after(rows[-1].seq)] == ["more"]
        assert store.line("0007") == b"0007"
        assert store.line("nobody") is None


def test_another_store_at_the_same_place_is_known(tmp_path):
    keep(tmp_path / "calls.db", "a", "b")
    keep(tmp_path / "other.db", "c")
    with follow(tmp_path / "other.db") as store:
        assert not store.same_store(1, "a")
        assert not store.same_store(2, "b")
        assert store.same_store(1, "c")


def test_what_is_no_store_is_said(tmp_path):
    path = tmp_path / "calls.db"
    with pytest.raises(InputError), follow(path) as store:
        list(store.after(0))
    path.write_bytes(b"x" * 5000)
    with pytest.raises(InputError), follow(path) as store:
        list(store.after(0))
