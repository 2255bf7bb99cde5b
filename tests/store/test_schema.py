"""Opening the store: private files, one writer, and nothing of anyone else's touched."""

import os
import sqlite3
import stat
from contextlib import closing

import pytest

from stepdown.core.ports import Exchange
from stepdown.errors import InputError, UsageError
from stepdown.store.schema import SCHEMA_VERSION, open_store, take_lock
from stepdown.store.sqlite import SqliteOutbox, read_lines


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ws" / "calls.db"


def test_p5_files_are_private(path):
    with closing(SqliteOutbox(path)) as outbox:
        outbox.submit(Exchange("1", 0.0, b"{}"), lambda durable: None)
        assert {file.name for file in path.parent.iterdir()} >= {"calls.db", "calls.db-wal"}
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_d11_one_writer_at_a_time(path):
    held = take_lock(path)
    with pytest.raises(UsageError, match="Another gateway writes"):
        take_lock(path)
    os.close(held)
    os.close(take_lock(path))


def test_d12_the_schema_is_there_whole_and_made_once(path):
    path.parent.mkdir()
    for _ in range(2):
        with closing(open_store(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
            assert connection.execute("SELECT count(*) FROM calls").fetchone() == (0,)
            assert connection.execute("SELECT count(*) FROM gaps").fetchone() == (0,)


def test_d12_a_newer_schema_is_refused_and_the_lock_let_go(path):
    SqliteOutbox(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="newer"):
        SqliteOutbox(path)
    os.close(take_lock(path))


def test_o2_what_is_not_a_store_is_refused_and_left_alone(path):
    path.parent.mkdir()
    path.write_bytes(b"not a database " * 100)
    with pytest.raises(InputError, match="not a store"):
        SqliteOutbox(path)
    with pytest.raises(InputError, match="not a store"):
        list(read_lines(path))
    assert path.read_bytes() == b"not a database " * 100


def test_o2_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="can't be opened"):
        SqliteOutbox(tmp_path / "file" / "calls.db")
