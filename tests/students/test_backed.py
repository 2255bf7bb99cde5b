"""A backed student: its own answers above the gate, the model's below, ranked after all of them."""

import msgspec
import pytest
from hypothesis import given as law
from hypothesis import strategies as st
from tests.students.test_chain import Oracle, given

from stepdown.core.calls import Answer
from stepdown.core.ports import Prediction
from stepdown.errors import ArtefactError
from stepdown.students.backed import BACKED, Backed, Model, load_backed
from stepdown.students.hosted import HostedStudent

MODEL = Model("cheap-1", "chat")


def backed(sure, behind=None, gate=0.8):
    student = Backed(Oracle("a", {"x": ("yes", sure)}), gate, MODEL)
    if behind is not None:
        said = Prediction({"": "no"}, Answer("no"), behind)
        student.hosted = HostedStudent("cheap-1", {given("x"): said})
    return student


@law(st.none() | st.floats(0, 1), st.none() | st.floats(0, 1), st.floats(0.01, 1))
def test_the_models_answers_rank_below_the_students(sure, behind, gate):
    found = backed(sure, behind, gate).predict(given("x"))
    if sure is not None and sure >= gate:
        assert (found.record, found.confidence) == ({"": "yes"}, sure)
    elif behind is None:
        assert found.answer is None
    else:
        assert found.record == {"": "no"}
        assert found.confidence == gate * behind <= gate


def test_what_is_too_novel_for_the_student_is_nothing_for_the_model():
    student = backed(0.5, 1.0)
    said = Prediction({}, None, 0.0, abstained="novel input")
    student.first.predict = lambda given: said
    assert student.predict(given("x")) == said


def test_it_is_saved_by_name_and_loaded_with_its_student(tmp_path):
    student = backed(0.5)
    BACKED.save(student, tmp_path)
    opened = load_backed(tmp_path, {"a": student.first}.__getitem__)
    assert (opened.first, opened.gate, opened.model) == (student.first, 0.8, MODEL)
    assert opened.family == "oracle → cheap-1"


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"first": "a", "gate": "high"}', b"\xff"])
def test_a_damaged_file_is_refused(tmp_path, damage):
    BACKED.save(backed(0.5), tmp_path)
    (tmp_path / "backed.json").write_bytes(damage)
    with pytest.raises(ArtefactError, match="stepdown train"):
        load_backed(tmp_path, lambda one: None)
    assert msgspec.json.encode(MODEL) == b'{"name":"cheap-1","api":"chat"}'
