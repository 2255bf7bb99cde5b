"""A hosted model repeats what it said, and abstains on what it was never asked."""

from stepdown.core.calls import Answer
from stepdown.core.ports import Prediction
from stepdown.core.tasks import Segment
from stepdown.students.hosted import HostedStudent

ASKED = (Segment("user", "hello"),)
SAID = Prediction({"": "greeting"}, Answer("greeting"), 0.7)


def test_it_repeats_what_it_said():
    assert HostedStudent("small-one", {ASKED: SAID}).predict(ASKED) == SAID


def test_it_abstains_on_the_rest():
    found = HostedStudent("small-one", {ASKED: SAID}).predict((Segment("user", "bye"),))
    assert found.answer is None
    assert "not asked" in found.abstained
