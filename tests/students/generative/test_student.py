"""A student answers with its confidence, abstains on what it can't do, and never raises."""

import json
from pathlib import Path

from stepdown.core.tasks import Segment
from stepdown.students.assembly import assembler_of
from stepdown.students.confidence import Confidence
from stepdown.students.generative.prompts import Prompt
from stepdown.students.generative.slots import form_of
from stepdown.students.generative.student import MOST_CHARS, GenerativeStudent

from .conftest import TICKET_TASK, tickets
from .test_writing import Scripted


def student(*texts):
    return GenerativeStudent(
        Scripted(*texts),
        form_of(TICKET_TASK, tickets(40)),
        Prompt("Do.", "<", ">"),
        Confidence(),
        assembler_of(TICKET_TASK),
        Path(),
    )


def test_it_answers_as_the_teacher_writes():
    found = student(' "loans"\n', ' "about it"\n').predict((Segment("user", "hi"),))
    assert json.loads(found.answer.text) == {"topic": "loans", "note": "about it"}
    assert 0 < found.confidence < 1


def test_an_input_longer_than_training_is_the_teachers():
    found = student().predict((Segment("user", "x" * (MOST_CHARS + 1)),))
    assert found.answer is None
    assert "longer" in found.abstained


def test_an_engine_that_fails_is_an_abstention():
    assert student(' "loans"\n', None).predict((Segment("user", "hi"),)).abstained == "gone"
