"""M-8: what a student says here is what it said where it was published, or it is not the same."""

import random

import msgspec
import pytest

from stepdown.core.calls import Answer, ToolCall
from stepdown.core.ports import Prediction
from stepdown.core.tasks import input_text
from stepdown.workspace.golden import Golden, deviation, golden_outputs


class Said:
    """Answers by the first word, so much surer or less sure than usual."""

    id, family = "s", "fake"

    def __init__(self, more=0.0, word=None, field="city"):
        self.more, self.word, self.field = more, word, field

    def predict(self, given):
        word = self.word or input_text(given).split()[0]
        sure = 0.5 + self.more
        # As those of real students, a call has another id each time.
        call = ToolCall("book", f'{{"city": "{word}"}}', f"call_{random.random()}")
        answer = None if word == "order" else Answer(None, (call,))
        return Prediction({"": word}, answer, 0.5, {self.field: sure})


def test_m8_the_same_student_says_the_same():
    golden = golden_outputs("linear", Said())
    assert [bool(one.answer) for one in golden] == [True, True, False]
    assert deviation(Said(), golden) == ""
    assert deviation(Said(0.0009), golden) == ""


@pytest.mark.parametrize("other", [Said(0.0011), Said(-0.0011), Said(word="x"), Said(field="town")])
def test_m8_one_that_says_other_things_is_told_apart(other):
    assert "golden text 1" in deviation(other, golden_outputs("linear", Said()))


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (Said(word="x"), "golden text 1: another answer)"),
        (Said(0.0011), "golden text 1: confidence in city 0.501100, not 0.500000)"),
        (Said(field="town"), "golden text 1: other fields)"),
        (Said(0.3, word="x"), "another answer, confidence in city 0.800000, not 0.500000)"),
        (Said(float("nan")), "confidence in city nan, not 0.500000)"),
    ],
)
def test_what_differs_is_told_and_nothing_else(other, told):
    assert deviation(other, golden_outputs("linear", Said())).endswith(told)


def test_what_may_change_has_none():
    assert golden_outputs("generative", Said()) == ()
    assert deviation(Said(0.4), ()) == ""


def test_they_can_be_written_down():
    golden = golden_outputs("linear", Said())
    again = msgspec.json.decode(msgspec.json.encode(golden), type=tuple[Golden, ...])
    assert again == golden
