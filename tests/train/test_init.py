"""The climb takes the first family that can be trained and keeps every reason."""

import pytest

from stepdown.core.anatomy import Anatomy
from stepdown.core.datasets import Dataset, Example, SplitReport
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.errors import NotEnoughData, Refusal
from stepdown.train import climb

TASK = Task("t", "route", Signature(), Anatomy("text", (), 0, 0, 0), Verdict("distil"))
ROWS = tuple(
    Example(str(n), (), {"": "x"}, split=split)
    for n, split in enumerate(["train", "train", "calibration", "test"])
)
DATA = Dataset("d", "t", ROWS, SplitReport(2, 1, 1))


class Family:
    """Trains when it is given at least `need` rows."""

    def __init__(self, name, need):
        self.name = name
        self.need = need

    def train(self, task, examples, progress):
        assert all(example.split == "train" for example in examples)
        if len(examples) < self.need:
            raise NotEnoughData(f"It needs {self.need} rows.")
        return f"student of {self.name}"


def test_the_first_that_can_be_trained_is_taken():
    rungs = climb(TASK, DATA, [Family("big", 9), Family("small", 2), Family("never", 1)])
    assert [rung.family for rung in rungs] == ["big", "small"]
    assert rungs[0].student is None
    assert rungs[0].skipped == "It needs 9 rows."
    assert rungs[1].student == "student of small"
    assert rungs[1].rows == 2
    assert rungs[1].peak_megabytes > 1


def test_when_none_can_be_trained_every_reason_is_said():
    with pytest.raises(Refusal, match=r"big: It needs 9 rows\."):
        climb(TASK, DATA, [Family("big", 9)])
