"""Numbers that are not finite are an abstention."""

import numpy as np

from stepdown.core.tasks import Segment
from stepdown.students.encoder.session import Encoded
from stepdown.students.encoder.student import EncoderStudent


class Broken:
    """A session whose states are not numbers, and the look that holds it."""

    session = property(lambda self: self)

    def encode(self, text):
        bad = np.full((1, 4), np.nan, np.float32)
        return Encoded(bad, np.zeros((1, 2), np.intp), bad[0])


class Inner:
    """Must not be asked."""

    def __init__(self):
        self.rehearsed = {}

    def predict(self, given):
        raise AssertionError


def test_nan_states_are_an_abstention():
    found = EncoderStudent(Inner(), Broken()).predict((Segment("user", "x"),))
    assert found.answer is None
    assert "not finite" in found.abstained
