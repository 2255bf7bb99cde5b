"""The note of a running gateway."""

import os
import stat
import subprocess
import sys

import msgspec

from stepdown.workspace.presence import Presence, announce, present


def test_a_note_is_found_and_gone_with_its_file(tmp_path):
    path = announce(tmp_path, "http://127.0.0.1:1")
    (note,) = present(tmp_path)
    assert (note.address, note.pid) == ("http://127.0.0.1:1", os.getpid())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()
    assert present(tmp_path) == []


def _dead():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        return process.pid


def test_the_note_of_a_killed_gateway_is_passed_over_and_removed_by_the_next(tmp_path):
    left = tmp_path / "gateway-1-ab.json"
    left.write_bytes(msgspec.json.encode(Presence("http://127.0.0.1:1", _dead(), 1.0)))
    assert present(tmp_path) == []
    announce(tmp_path, "http://127.0.0.1:2")
    assert not left.exists()


def test_what_is_no_note_is_passed_over(tmp_path):
    for number, data in enumerate((b"", b"{", b"[]", b'{"address":1}', b"\xff", b"{}" * 9000)):
        (tmp_path / f"gateway-{number}.json").write_bytes(data)
    (tmp_path / "gateway-x.json").mkdir()
    wrong = Presence("http://127.0.0.1:1", -1, 1.0)
    (tmp_path / "gateway-y.json").write_bytes(msgspec.json.encode(wrong))
    assert present(tmp_path) == []
