"""Spans with token states: pieces find their tokens, and a tool task goes the whole way."""

import random
from typing import cast

import numpy as np
import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.ports import silent
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.students.encoder import FAMILY, spans
from stepdown.students.encoder.session import Encoded
from stepdown.students.encoder.spans import Emission, EncoderSpans, states_of
from stepdown.students.spans import SpanGuess


def test_a_tokens_state_is_the_mean_of_its_pieces():
    states = np.arange(8, dtype=np.float32).reshape(4, 2)
    places = np.array([[0, 3], [3, 5], [6, 8], [9, 10]])
    made = states_of(Encoded(states, places, states[0]), [(0, 5), (6, 8), (11, 12)])
    assert made.tolist() == [[1.0, 2.0], [4.0, 5.0], [0.0, 0.0]]


def test_without_pieces_every_state_is_zero():
    nothing = np.zeros((0, 2), np.float32)
    encoded = Encoded(nothing, np.zeros((0, 2), np.intp), np.zeros(2, np.float32))
    assert states_of(encoded, [(0, 1)]).tolist() == [[0.0, 0.0]]


def test_a_share_scales_what_the_states_say_and_none_is_silence():
    emission = Emission(np.ones((2, 3), np.float32), np.ones(3, np.float32))
    states = np.array([[1.0, 2.0]], np.float32)
    assert emission.at(0.5).scores(states).tolist() == [[2.0, 2.0, 2.0]]
    assert emission.at(0.0).silent
    assert not emission.at(0.25).silent


@pytest.mark.parametrize("helpful", [True, False])
def test_the_share_is_what_held_out_rows_say(helpful, session):
    """States that tell the label are heard; those that mislead are not."""

    class Told(EncoderSpans, frozen=True):
        def at(self, share):
            return Told(self.model, self.emissions, share)

        def predict(self, text):
            good = (cast("float", self.session) > 0) == helpful
            return {"/city": SpanGuess(text.split()[-1] if good else "nowhere", 1.0)}

    texts = [f"a trip to {CITIES[at % 6]}" for at in range(200)]
    records = [{"/city": CITIES[at % 6]} for at in range(200)]
    made = Told(None, (), 1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "_train", lambda *given: made)
        share = spans._best_share(session, texts, records, [FIELD], silent)
    assert (share > 0) == helpful


CITIES = ["rome", "oslo", "lima", "cairo", "delhi", "quito"]


def rows(count):
    pick = random.Random(1)
    made = []
    for at in range(count):
        city = pick.choice(CITIES)
        text = pick.choice(["a trip to {} please", "where is my hotel in {}", "airport of {}"])
        record = {"/city": city}
        made.append(Example(str(at), (Segment("user", text.format(city)),), record))
    return made


FIELD = Field("/city", "copy", distinct=6, count=200, aligned=1.0, normaliser="verbatim")
TASK = Task("t", "trips", Signature(), Anatomy("json", (FIELD,), 200, 1, 1), Verdict("distil"))


@pytest.fixture(scope="module")
def student(folder):
    return FAMILY.of(str(folder)).train(TASK, rows(200))


def test_fields_are_read_and_saved_with_their_emissions(student, tmp_path):
    FAMILY.save(student, tmp_path)
    again = FAMILY.load(tmp_path, TASK)
    right = 0
    for row in rows(60):
        found = student.predict(row.input)
        right += found.record == row.record
        assert again.predict(row.input) == found
    assert right >= 55
