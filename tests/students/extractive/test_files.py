"""A student comes back from its files, and damaged ones are refused in a sentence."""

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save
from tests.audit.reports import reports

from stepdown.core.tasks import Segment
from stepdown.errors import ArtefactError
from stepdown.students.extractive import load_extractive, save_extractive
from stepdown.students.extractive.sentences import BUCKETS, COLUMNS


@pytest.fixture
def folder(reporter, tmp_path):
    save_extractive(reporter, tmp_path)
    return tmp_path


def test_it_answers_as_before(reporter, report_task, folder):
    again = load_extractive(folder, report_task)
    for text, _ in reports(20, first=4000):
        given = (Segment("user", text),)
        assert again.predict(given) == reporter.predict(given)


def test_another_kind_of_student_is_none_of_these(report_task, tmp_path):
    assert load_extractive(tmp_path, report_task) is None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("extractive.json", b"{}"),
        ("extractive.json", b"\xff"),
        ("extractive.safetensors", b"short"),
        ("extractive.safetensors", save({"weights": np.zeros(3, np.float32)})),
        ("extractive.safetensors", save({"other": np.zeros(3, np.float32)})),
        (
            "extractive.safetensors",
            save({"weights": np.full(BUCKETS + COLUMNS, np.nan, np.float32)}),
        ),
    ],
)
def test_damage_is_told(folder, report_task, name, data):
    (folder / name).write_bytes(data)
    with pytest.raises(ArtefactError, match="train it again"):
        load_extractive(folder, report_task)


def test_a_missing_file_is_told(folder, report_task):
    (folder / "extractive.safetensors").unlink()
    with pytest.raises(ArtefactError, match="damaged"):
        load_extractive(folder, report_task)


def test_another_tasks_student_is_refused(folder, report_task):
    anatomy = msgspec.structs.replace(report_task.anatomy, style={"summary": {"longest": 7}})
    with pytest.raises(ArtefactError, match="another length"):
        load_extractive(folder, msgspec.structs.replace(report_task, anatomy=anatomy))
