"""Who is forgotten stays so, and a file that says nothing of use is no empty one."""

import pytest

from stepdown.errors import ArtefactError
from stepdown.workspace.forgotten import Forgotten, note_forgotten, read_forgotten


def test_marks_are_kept_with_their_times(tmp_path):
    path = tmp_path / "forgotten.json"
    assert read_forgotten(path) == Forgotten()
    note_forgotten(path, {"user-a": 5.0})
    note_forgotten(path, {"user-b": 6.0}, {"s1": 3})
    assert note_forgotten(path, {"user-a": 7.0}) == read_forgotten(path)
    assert read_forgotten(path) == Forgotten({"user-a": 7.0, "user-b": 6.0}, {"s1": 3})
    assert path.stat().st_mode & 0o077 == 0


def test_what_cannot_be_read_is_refused(tmp_path):
    path = tmp_path / "forgotten.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ArtefactError, match="forget them again"):
        read_forgotten(path)
