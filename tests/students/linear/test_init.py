"""The family through its port: train, save, load, and the same answers after."""

import msgspec
import pytest

from stepdown.core.records import same_record
from stepdown.errors import NotEnoughData
from stepdown.students.linear import FAMILY
from stepdown.students.linear.student import LinearStudent
from stepdown.students.static import find_static

SHAPES = ("text", "json", "tool")


def test_the_family_is_called_linear_and_uses_static_vectors():
    assert (FAMILY.name, FAMILY.static) == ("linear", True)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_student_learns_the_task(students, unseen, shape):
    right = answered = 0
    for example in unseen[shape]:
        guess = students[shape].predict(example.input)
        answered += guess.answer is not None
        right += guess.answer is not None and same_record(guess.record, example.record)
    assert right >= 0.9 * answered
    assert answered >= {"text": 60, "json": 50, "tool": 15}[shape]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_saved_student_predicts_the_same(family, students, tasks, unseen, shape, tmp_path):
    family.save(students[shape], tmp_path)
    loaded = family.load(tmp_path, tasks[shape])
    for example in unseen[shape][:25]:
        before, after = (s.predict(example.input) for s in (students[shape], loaded))
        assert after.record == before.record
        assert after.confidence == before.confidence
        assert after.fields == before.fields
        assert (after.answer is None) == (before.answer is None)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_examples_give_the_same_bytes(family, students, tasks, examples, shape, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    family.save(students[shape], first)
    family.save(family.train(tasks[shape], examples[shape]), second)
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    assert {name.rpartition(".")[2] for name in names} <= {"json", "safetensors", "crf"}


def test_static_vectors_are_part_of_the_student(tasks, examples, unseen, tmp_path):
    if find_static() is None:
        pytest.skip("the extra `static` is not installed")
    student = FAMILY.train(tasks["text"], examples["text"])
    FAMILY.save(student, tmp_path)
    loaded = FAMILY.load(tmp_path, tasks["text"])
    for example in unseen["text"]:
        assert loaded.predict(example.input) == student.predict(example.input)
    assert isinstance(loaded, LinearStudent) and loaded.featurizer.static is find_static()


def test_progress_ends_where_it_said_it_would(family, tasks, examples):
    told = []
    family.train(tasks["json"], examples["json"], lambda *step: told.append(step))
    stages = {stage for stage, _, _ in told}
    assert {"features", "heads", "spans", "confidence"} <= stages
    for stage in stages:
        last = [step for step in told if step[0] == stage][-1]
        assert last[1] == last[2]


def test_too_few_examples_are_refused(family, tasks, examples):
    with pytest.raises(NotEnoughData, match="19 usable"):
        family.train(tasks["text"], examples["text"][:19])


def test_one_label_alone_is_a_constant(family, tasks, examples):
    same = [msgspec.structs.replace(e, record={"": "billing "}) for e in examples["text"]]
    student = family.train(tasks["text"], same)
    guess = student.predict(same[0].input)
    assert (guess.answer.text, guess.confidence) == ("billing ", 1.0)
