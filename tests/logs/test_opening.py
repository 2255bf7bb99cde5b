"""A log's format is told by its first lines, or by the first that tell one."""

import os

import pytest

from stepdown.errors import LogError
from stepdown.logs import opening, reasons
from stepdown.logs.opening import look_at


def nobody(_):
    """Take no note of how far it is."""


def test_foreign_lines_before_the_calls_do_not_hide_them(log, tmp_path, monkeypatch):
    path = tmp_path / "late.jsonl"
    path.write_bytes(b'{"noise": 1}\n' * 250 + b"\n".join(log.line(name) for name in "abc"))
    calls, (entry,) = log.read(path)
    assert (len(calls), entry.format) == (3, "native")
    assert sum(entry.rejected.values()) == 250
    monkeypatch.setattr(opening, "_MOST_LINES", 200)
    looked = look_at(str(path), log.formats, nobody)
    assert looked.format is None
    assert "keys: noise" in looked.found
    assert len(list(looked.lines)) == 253


def test_large_lines_are_not_held_for_a_look(log, tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_SAMPLE_BYTES", 100)
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"noise": "' + b"x" * 200 + b'"}\n' + log.line())
    assert look_at(str(path), log.formats, nobody).format is None


def test_a_file_of_a_folder_that_can_not_be_opened_is_counted(log, tmp_path, monkeypatch):
    good, bad = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    for path in (good, bad):
        path.write_bytes(log.line(path.name))
    usual = open

    def refused(path, *more):
        if os.fspath(path) == str(bad):
            raise PermissionError(13, "Permission denied", str(bad))
        return usual(path, *more)

    monkeypatch.setattr("builtins.open", refused)
    calls, (first, second) = log.read(tmp_path)
    assert (len(calls), first.calls) == (1, 1)
    assert second.rejected == {reasons.UNREADABLE: 1}
    assert "permission denied" in second.notes[0]
    with pytest.raises(LogError, match="permission denied"):
        log.read(good, bad)
