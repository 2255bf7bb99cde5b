"""From examples to a calibrated student, by stand-ins for training and engine."""

import msgspec
import pytest

from stepdown.core.anatomy import Anatomy
from stepdown.core.ports import silent
from stepdown.core.tasks import Segment
from stepdown.errors import NotEnoughData, Unavailable
from stepdown.students.needle.training import train_needle
from stepdown.students.needle.tuning import NeedleSettings

from .conftest import TASK, trips


def test_it_is_trained_and_calibrated(engine, package, tmp_path):
    student = train_needle(TASK, trips(600), NeedleSettings(), tmp_path, silent)
    rows = trips(40, seed=9)
    found = [student.predict(row.input) for row in rows]
    right = [p.record == row.record for p, row in zip(found, rows, strict=True)]
    assert 0.6 < sum(right) / 40 < 1
    # Four of five held-out rows were right, and that is what it believes.
    assert all(0.6 < p.confidence < 0.95 for p in found)
    assert len(student.rehearsed) > 60
    assert student.predict((Segment("user", "Где моя посылка?"),)).novelty > 0.95
    assert len((tmp_path / "needle" / "train.jsonl").read_bytes().splitlines()) > 400


def test_what_it_can_not_do_is_said_before_any_training(package, tmp_path, monkeypatch):
    bare = msgspec.structs.replace(TASK, anatomy=Anatomy("text", (), 9, 1, 1))
    with pytest.raises(NotEnoughData, match="no tool calls"):
        train_needle(bare, trips(60), NeedleSettings(), tmp_path, silent)
    monkeypatch.setenv("NEEDLE3_LIB_PATH", str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="needle fetch"):
        train_needle(TASK, trips(60), NeedleSettings(), tmp_path, silent)
    assert not (tmp_path / "needle").exists()


def test_too_few_rows_are_refused(engine, package):
    with pytest.raises(NotEnoughData, match="at least 20"):
        train_needle(TASK, trips(12), NeedleSettings(), None, silent)
