"""Opening the store: private files, one writer, and nothing of anyone else's touched."""

import os
import sqlite3
import stat
from contextlib import closing

import pytest

from stepdown.core.ports import Exchange
from stepdown.errors import InputError, UsageError
from stepdown.store import schema as module
from stepdown.store.schema import SCHEMA_VERSION, file_system, open_store, take_lock
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


@pytest.mark.parametrize(
    ("kind", "refused"), [("nfs4", True), ("cifs", True), ("fuse.sshfs", True), ("ext4", False)]
)
def test_d11_a_network_file_system_is_refused(tmp_path, monkeypatch, kind, refused):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"2 1 0:9 / {tmp_path}/far\\040away rw,relatime shared:1 - {kind} server:/x rw\n",
        "utf-8",
    )
    monkeypatch.setattr(module, "_MOUNTS", mounts)
    path = tmp_path / "far away" / "w" / "calls.db"
    assert file_system(path) == kind
    assert file_system(tmp_path / "near") == "ext4"
    if refused:
        with pytest.raises(UsageError, match=f"{kind}, a network file system.*local disk"):
            take_lock(path)
        assert not path.parent.exists()
    else:
        os.close(take_lock(path))


def test_d11_where_the_mounts_cannot_be_read_nothing_is_refused(path, monkeypatch):
    monkeypatch.setattr(module, "_MOUNTS", path / "none")
    assert file_system(path) == ""
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


def test_o2_a_store_that_the_system_refuses_is_not_called_damaged(path):
    path.mkdir(parents=True)
    with pytest.raises(InputError, match=r"can't be used \(unable to open database file\); check"):
        open_store(path)


def test_o2_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="can't be opened"):
        SqliteOutbox(tmp_path / "file" / "calls.db")
