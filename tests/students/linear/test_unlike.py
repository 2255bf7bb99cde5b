"""A linear student's novelty: ordinary inputs pass, others stand out, and files keep it."""

import json

import numpy as np
import pytest

from stepdown.core.tasks import Segment
from stepdown.errors import ArtefactError
from stepdown.students.features import Features, Featurizer
from stepdown.students.linear.student import vector_of
from stepdown.students.novelty.nearness import SKETCH

ODD = ["", "где моя посылка и когда", "my invoice is wrong " * 200, "%%%%" * 20_000]


def ask(student, text):
    return student.predict((Segment("user", text),)).novelty


@pytest.mark.parametrize("shape", ["text", "json", "tool"])
def test_inputs_unlike_training_stand_out(students, examples, shape):
    student = students[shape]
    known = [student.predict(example.input).novelty for example in examples[shape][:60]]
    assert np.mean(known) < 0.75
    for text in ODD:
        assert ask(student, text) > max(0.95, float(np.median(known)))


@pytest.mark.parametrize("shape", ["text", "json", "tool"])
def test_novelty_is_saved_with_the_student(family, students, tasks, examples, tmp_path, shape):
    family.save(students[shape], tmp_path)
    again = family.load(tmp_path, tasks[shape])
    for text in [*ODD, "hello, my invoice is wrong"]:
        assert ask(again, text) == ask(students[shape], text)


def test_students_of_before_say_nothing(family, students, tasks, tmp_path):
    family.save(students["tool"], tmp_path)
    path = tmp_path / "student.json"
    value = json.loads(path.read_bytes())
    del value["novelty"]
    path.write_text(json.dumps(value), encoding="utf-8")
    assert ask(family.load(tmp_path, tasks["tool"]), "где моя посылка") == 0.0


def test_numbers_that_do_not_fit_are_refused(family, students, tasks, tmp_path):
    family.save(students["tool"], tmp_path)
    path = tmp_path / "student.json"
    value = json.loads(path.read_bytes())
    value["novelty"]["spread"] = [-1.0]
    path.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(ArtefactError, match="novelty model"):
        family.load(tmp_path, tasks["tool"])


def test_without_static_vectors_a_sketch_of_the_ngrams_stands_in():
    given = (Segment("user", "where is my parcel"),)
    featurizer = Featurizer.fit([given] * 3, 100, None)
    assert vector_of(featurizer.extract(given), None).shape == (SKETCH,)


def test_what_was_subtracted_is_added_again():
    none = np.zeros(0, np.float32)
    features = Features(none.astype(np.int32), none, np.array([1, 2], np.float32), 1, 1.0)
    assert vector_of(features, np.array([3, -2], np.float32)).tolist() == [4, 0]
    assert vector_of(features, None).tolist() == [1, 2]
