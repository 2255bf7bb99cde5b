"""The family whole: train, save, load and predict with a tiny encoder, every shape of task."""

import random
import subprocess
import sys

import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.errors import NotEnoughData, Unavailable
from stepdown.students.encoder import FAMILY

TOPICS = {"cards": "card pin lost", "loans": "loan rate month", "travel": "trip hotel airport"}


def labelled(count):
    pick = random.Random(0)
    rows = []
    for at in range(count):
        topic = pick.choice(list(TOPICS))
        words = [pick.choice(TOPICS[topic].split()) for _ in range(2)]
        words += pick.sample(["please", "my", "the", "is", "a", "where", "how"], 3)
        pick.shuffle(words)
        rows.append(Example(str(at), (Segment("user", " ".join(words)),), {"": topic}))
    return rows


FIELD = Field("", "choice", values=tuple(TOPICS), distinct=3, count=240)
TASK = Task("t", "topics", Signature(), Anatomy("text", (FIELD,), 240, 1, 1), Verdict("distil"))
ROWS = labelled(240)


@pytest.fixture(scope="module")
def student(folder):
    return FAMILY.of(str(folder)).train(TASK, ROWS[:180])


def test_it_learns_and_says_the_same_after_loading(student, tmp_path):
    FAMILY.save(student, tmp_path)
    again = FAMILY.load(tmp_path, TASK)
    rows = ROWS[180:]
    found = [student.predict(row.input) for row in rows]
    assert sum(p.record == row.record for p, row in zip(found, rows, strict=True)) >= 55
    assert [again.predict(row.input) for row in rows] == found
    assert len(student.rehearsed) > 100


def test_the_same_rows_are_the_same_bytes(folder, student, tmp_path):
    again = FAMILY.of(str(folder)).train(TASK, ROWS[:180])
    for name, one in (("a", student), ("b", again)):
        (tmp_path / name).mkdir()
        FAMILY.save(one, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_an_empty_and_an_odd_input_are_answered_or_not_but_never_raise(student):
    for text in ("", "\ud800", "card " * 5000, "\x00"):
        student.predict((Segment("user", text),))


def test_too_few_rows_are_refused(folder):
    with pytest.raises(NotEnoughData):
        FAMILY.of(str(folder)).train(TASK, ROWS[:5])


def test_without_the_extra_the_rung_is_unavailable_and_the_family_still_imports():
    code = (
        "import sys; sys.modules['onnx'] = None; sys.modules['onnxruntime'] = None\n"
        "from stepdown.students.encoder import FAMILY\n"
        "from stepdown.errors import Unavailable\n"
        "try:\n    FAMILY.train(None, [])\n"
        "except Unavailable as error:\n    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "stepdown[encoder]" in ran.stdout


def test_missing_weights_are_said_in_one_sentence(tmp_path):
    with pytest.raises(Unavailable):
        FAMILY.of(str(tmp_path / "none")).train(TASK, ROWS)
