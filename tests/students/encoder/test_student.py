"""Numbers that are not finite are an abstention."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tests.students.encoder.test_init import FAMILY, ROWS, TASK

from stepdown.students.encoder.session import Session
from stepdown.students.encoder.student import EncoderStudent


class Inner:
    """A student whose encoder's states are not finite."""

    def __init__(self):
        self.rehearsed = {}

    def predict(self, given):
        raise FloatingPointError


def test_states_that_are_not_finite_are_an_abstention():
    found = EncoderStudent(Inner(), None).predict(ROWS[0].input)
    assert found.answer is None
    assert "not finite" in found.abstained


def test_a_graph_with_nan_weights_says_so(session):
    model = onnx.load_from_string(session.model)
    for tensor in model.graph.initializer:
        if tensor.name.endswith("LayerNorm.w"):
            nothing = np.full(tuple(tensor.dims), np.nan, np.float32)
            tensor.CopyFrom(numpy_helper.from_array(nothing, tensor.name))
    broken = Session(model.SerializeToString(), session.tokenizer)
    with pytest.raises(FloatingPointError):
        broken.encode("my card")


def test_a_student_whose_encoder_breaks_abstains(folder, session, monkeypatch):
    student = FAMILY.of(str(folder)).train(TASK, ROWS[:180])
    monkeypatch.setattr(
        student.look.session, "_run", lambda ids: np.full((len(ids), 16), np.nan, np.float32)
    )
    assert student.predict(ROWS[200].input).answer is None
