"""A call is believed by what is seen of it; whatever is no call of the task is an abstention."""

import pytest

from stepdown.core.tasks import Segment
from stepdown.students.assembly import assembler_of
from stepdown.students.confidence import Confidence
from stepdown.students.needle.dataset import tools_of
from stepdown.students.needle.student import NeedleStudent
from stepdown.students.needle.worker import WorkerError

from .conftest import TASK


class Scripted:
    def __init__(self, said):
        self.said = said

    def ask(self, text):
        if self.said is None:
            raise WorkerError("gone")
        return self.said

    def close(self):
        pass


def predict(said, text="book a trip to rome"):
    student = NeedleStudent(Scripted(said), tools_of(TASK, []), Confidence(), assembler_of(TASK))
    return student.predict((Segment("user", text),)), student


def calls(*found):
    return {"function_calls": list(found), "confidence": None}


BOOK = {"name": "book", "arguments": {"city": "rome"}}


def test_a_call_is_answered():
    found, student = predict(calls(BOOK))
    assert found.record == {"/tool": "book", "/book/city": "rome"}
    assert found.answer.tool_calls[0].name == "book"
    assert 0 < found.confidence < 1
    grounded = student.guess((Segment("user", "book a trip to rome"),)).evidence
    elsewhere = student.guess((Segment("user", "book a trip to oslo"),)).evidence
    assert grounded.log_ratio == 1.0
    assert elsewhere.log_ratio == 0.0


@pytest.mark.parametrize(
    "said",
    [None, {}, calls(), {"function_calls": 3}, calls({"name": "other", "arguments": {}}), calls(3),
     calls({"name": "book", "arguments": {"city": 3}}), calls({"name": "book", "arguments": [1]})],
)  # fmt: skip
def test_what_is_no_call_of_the_task_is_an_abstention(said):
    found, _ = predict(said)
    assert found.answer is None
    assert found.abstained


def test_several_calls_are_answered_together():
    other = {"name": "cancel", "arguments": {"city": "oslo"}}
    found, _ = predict(calls(BOOK, other), "book rome, cancel oslo")
    assert found.record == {"/calls": [BOOK, other]}
    assert [call.name for call in found.answer.tool_calls] == ["book", "cancel"]
