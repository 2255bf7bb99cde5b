"""What was saved says the same; what is damaged is refused in one sentence."""

import json

import msgspec
import pytest

from stepdown.core.anatomy import Anatomy
from stepdown.core.ports import silent
from stepdown.errors import ArtefactError, Unavailable
from stepdown.students.needle.files import load_needle, save_needle
from stepdown.students.needle.training import train_needle
from stepdown.students.needle.tuning import NeedleSettings

from .conftest import TASK, trips


@pytest.fixture
def student(engine, package, tmp_path):
    return train_needle(TASK, trips(120), NeedleSettings(), tmp_path / "scratch", silent)


def test_it_says_the_same_after_loading(student, tmp_path):
    (tmp_path / "s").mkdir()
    save_needle(student, tmp_path / "s")
    again = load_needle(tmp_path / "s", TASK)
    for row in trips(5, seed=2):
        one, two = student.predict(row.input), again.predict(row.input)
        assert (one.record, one.confidence) == (two.record, two.confidence)


def test_what_is_damaged_is_refused(student, tmp_path, monkeypatch):
    folder = tmp_path / "s"
    folder.mkdir()
    save_needle(student, folder)
    text = msgspec.structs.replace(TASK, anatomy=Anatomy("text", (), 9, 1, 1))
    with pytest.raises(ArtefactError, match="another task"):
        load_needle(folder, text)
    whole = json.loads((folder / "needle.json").read_text())
    for broken in ("{", json.dumps(whole | {"format": 3}), json.dumps(whole | {"tools": [{}]})):
        (folder / "needle.json").write_text(broken)
        with pytest.raises(ArtefactError, match="damaged"):
            load_needle(folder, TASK)
    (folder / "needle.json").write_text(json.dumps(whole))
    monkeypatch.setenv("NEEDLE3_LIB_PATH", "/nowhere/lib.so")
    with pytest.raises(Unavailable):
        load_needle(folder, TASK)
    (folder / "needle.cact").unlink()
    with pytest.raises(ArtefactError, match="missing"):
        load_needle(folder, TASK)
