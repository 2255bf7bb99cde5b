"""The climb tries every rung in turn, keeps every reason, and stops where more can't pay."""

import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Dataset, Example, SplitReport
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.errors import NotEnoughData, Refusal, Unavailable
from stepdown.train import Estimate, climb, labels_a_class

TASK = Task("t", "route", Signature(), Anatomy("text", (), 0, 0, 0), Verdict("distil"))
ROWS = tuple(
    Example(str(n), (), {"": "x"}, split=split)
    for n, split in enumerate(["train", "train", "calibration", "test"])
)
DATA = Dataset("d", "t", ROWS, SplitReport(2, 1, 1))


class Family:
    """Trains a student of one word, or fails with the error it was given."""

    parameters = 7

    def __init__(self, name, error=None, against=""):
        self.name = name
        self.against = against
        self.error = error

    def train(self, task, examples, progress):
        assert all(example.split == "train" for example in examples)
        progress("heads", 1, 2)
        if self.error is not None:
            raise self.error
        return f"student of {self.name}"


def climbed(*families, coverage=0.5, enough="", progress=lambda *told: None):
    why = {family.name: family.against for family in families}
    return climb(
        TASK,
        DATA,
        families,
        lambda student: Estimate(40, 0.9, coverage),
        lambda family, rungs: (
            enough
            if any(rung.estimate and rung.estimate.coverage > 0.9 for rung in rungs)
            else why[family.name]
        ),
        progress,
    )


def test_every_rung_is_tried_smallest_first_and_keeps_its_reason():
    told = []
    rungs = climbed(
        Family("few", NotEnoughData("It needs 9 rows.")),
        Family("small"),
        Family("bare", Unavailable("Install stepdown[encoder].")),
        Family("huge", MemoryError()),
        Family("large"),
        progress=lambda *args: told.append(args),
    )
    assert [rung.student for rung in rungs] == [
        None,
        "student of small",
        None,
        None,
        "student of large",
    ]
    assert rungs[0].skipped == "It needs 9 rows."
    assert rungs[2].skipped == "Install stepdown[encoder]."
    assert "out of memory" in rungs[3].skipped
    assert rungs[1].rows == 2
    assert rungs[1].parameters == 7
    assert rungs[1].peak_megabytes > 1
    assert ("small: heads", 1, 2) in told


def test_the_climb_ends_where_more_can_not_pay():
    rungs = climbed(Family("small"), Family("large"), coverage=0.95, enough="nothing is left")
    assert rungs[0].student
    assert rungs[1].student is None
    assert rungs[1].skipped == "nothing is left"


def test_a_family_with_a_reason_against_it_is_passed_over():
    rungs = climbed(Family("writer", against="No field is free text."), Family("small"))
    assert rungs[0].skipped == "No field is free text."
    assert rungs[1].student


def test_when_none_can_be_trained_every_reason_is_said():
    with pytest.raises(Refusal, match=r"big: It needs 9 rows\. huge: It ran out of memory"):
        climbed(Family("big", NotEnoughData("It needs 9 rows.")), Family("huge", MemoryError()))


def labelled(*labels, path=""):
    return [Example(f"e{at}", (), {path: label}) for at, label in enumerate(labels)]


def test_labels_a_class_are_counted_on_the_field_of_labels():
    text = Anatomy("text", (Field("", "choice"),), 6, 1.0, 1.0)
    assert labels_a_class(text, labelled("a", "a", "b", "a")) == 2.0
    tool = Anatomy("tool", (Field("/tool", "choice"), Field("/t/x", "choice")), 6, 1.0, 1.0)
    assert labels_a_class(tool, labelled("a", "b", "c", path="/tool")) == 1.0
    one = Anatomy("json", (Field("/kind", "choice"), Field("/sum", "copy")), 6, 1.0, 1.0)
    assert labels_a_class(one, labelled(1, True, path="/kind")) == 1.0


def test_without_labels_no_number_is_too_small():
    spans = Anatomy("json", (Field("/sum", "copy"),), 6, 1.0, 1.0)
    two = Anatomy("json", (Field("/a", "choice"), Field("/b", "choice")), 6, 1.0, 1.0)
    assert labels_a_class(spans, []) == labels_a_class(two, []) == float("inf")
    assert labels_a_class(Anatomy("text", (Field("", "choice"),), 0, 1.0, 1.0), []) == 0.0
