"""The family: named models, checkpoints' folder, saving, and serving where torch is not."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from stepdown import plugins
from stepdown.errors import Unavailable
from stepdown.students.tuned import FAMILY
from stepdown.students.tuned.training import train_tuned

from .conftest import FAST, TRIP_TASK, trips

SERVE = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "onnx"):
            raise ImportError(name)
sys.meta_path.insert(0, Gone())
from pathlib import Path
import msgspec
from stepdown.core.tasks import Segment, Task
from stepdown.students.tuned import FAMILY
task = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=Task)
student = FAMILY.load(Path(sys.argv[1]), task)
print(student.family, student.predict((Segment("user", "fly from oslo to quito"),)).record)
"""


@pytest.fixture(scope="module")
def student(folder):
    made = train_tuned(TRIP_TASK, trips(240), str(folder), None, lambda *told: None, FAST)
    made.family = FAMILY.name
    return made


def test_it_says_the_same_after_loading(student, tmp_path):
    FAMILY.save(student, tmp_path)
    again = FAMILY.load(tmp_path, TRIP_TASK)
    assert again.family == "encoder-tuned"
    for row in trips(40, seed=2):
        assert again.predict(row.input) == student.predict(row.input)


def test_it_serves_without_torch(student, tmp_path):
    (tmp_path / "student").mkdir()
    FAMILY.save(student, tmp_path / "student")
    (tmp_path / "task.json").write_bytes(msgspec.json.encode(TRIP_TASK))
    found = subprocess.run(
        [sys.executable, "-c", SERVE, tmp_path / "student", tmp_path / "task.json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.startswith("encoder-tuned {")
    assert "'/to': 'quito'" in found.stdout


def test_it_stands_behind_the_frozen_family_on_the_ladder(tmp_path):
    names = [family.name for family in plugins.ladder()]
    assert names.index("encoder-tuned") == names.index("encoder") + 1
    other: Any = plugins.family("encoder-tuned:distilbert", tmp_path)
    assert (other.model, other.scratch) == ("distilbert", tmp_path)
    usual: Any = plugins.family("encoder-tuned")
    assert usual.model == "minilm-l6"


def test_without_torch_it_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("stepdown.students.tuned.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Unavailable, match=r"stepdown\[train\]"):
        FAMILY.train(TRIP_TASK, trips(40))
