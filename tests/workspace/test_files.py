"""Publishing is all or nothing, also when it is killed half-way (M-5)."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from stepdown.errors import ArtefactError
from stepdown.workspace.files import check_place, locked, publish_file, publish_folder, read_file


def test_a_file_is_replaced_whole_and_private(tmp_path):
    path = tmp_path / "a" / "x.json"
    publish_file(path, b"one")
    publish_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


def test_a_folder_that_fails_half_way_leaves_nothing(tmp_path):
    def fill(folder):
        (folder / "weights").write_bytes(b"half")
        raise RuntimeError("disk on fire")

    with pytest.raises(RuntimeError):
        publish_folder(tmp_path, fill)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_same_name_is_made_whole_again(tmp_path):
    def fill(folder):
        (folder / "f").write_bytes(b"content")
        return "same"

    made = publish_folder(tmp_path, fill)
    (made / "f").write_bytes(b"damaged")
    with open(made / "f", "rb") as opened:
        assert publish_folder(tmp_path, fill) == made
        # Who has it open reads on what it opened.
        assert opened.read() == b"damaged"
    assert [path.name for path in made.iterdir()] == ["f"]
    assert (made / "f").read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [made]


def test_what_was_published_is_read_and_anything_else_refused_with_its_remedy(tmp_path):
    path = tmp_path / "x.json"
    assert read_file(path, dict[str, int], "mend it") is None
    publish_file(path, b'{"a":1}')
    assert read_file(path, dict[str, int], "mend it") == {"a": 1}
    for damaged in (b"", b'{"a":', b'{"a":"b"}', b'{"\xff":1}'):
        path.write_bytes(damaged)
        with pytest.raises(ArtefactError, match=r"^x\.json can't be read \(.+\); mend it\.$"):
            read_file(path, dict[str, int], "mend it")
    with pytest.raises(ArtefactError, match="can't be read"):
        read_file(tmp_path, dict[str, int], "mend it")


KILLED = """
import os, signal, sys
from pathlib import Path
from stepdown.workspace.files import publish_folder
def fill(folder):
    (folder / "f").write_bytes(b"x")
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"
publish_folder(Path(sys.argv[1]), fill)
"""


def test_m5_what_a_killed_publisher_left_is_collected(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == []

    def fill(folder):
        (folder / "f").write_bytes(b"y")
        return "good"

    publish_folder(tmp_path, fill)
    assert [p.name for p in tmp_path.iterdir()] == ["good"]


def _count(path, times):
    for _ in range(times):
        with locked(path.with_name("lock")):
            path.write_text(str(int(path.read_text()) + 1))


def test_a_lock_keeps_every_increment(tmp_path):
    path = tmp_path / "n"
    path.write_text("0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(path, 50)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert path.read_text() == "100"
    assert os.path.exists(tmp_path / "lock")


def test_what_the_system_refuses_names_the_path_that_was_asked_for(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "file" / "x.json", tmp_path / "file" / "y" / "x.json"):
        with pytest.raises(OSError) as refused:
            publish_file(path, b"{}")
        assert refused.value.filename == str(path)
        with pytest.raises(NotADirectoryError):
            check_place(path)
    check_place(tmp_path / "new" / "x.json")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(ArtefactError, match=r"x/y can't be read \(not a directory\); check the pa"):
        (tmp_path / "x").write_bytes(b"")
        read_file(tmp_path / "x" / "y", dict[str, int], "mend it")
