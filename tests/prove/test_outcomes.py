"""What counts as answered, abstained, right and wrong."""

import math

import pytest

from stepdown.core.calls import Answer
from stepdown.core.ports import Prediction
from stepdown.core.stats import NEVER
from stepdown.prove.outcomes import answer, graded, losses_of, scores_and_wrong


def test_each_example_is_judged_against_its_record(world):
    examples = [
        world.example(1, "cards", "cards", 0.9),
        world.example(2, "cards", "loans", 0.8),
        world.example(3, "cards", "cards", 0.7, known=False),
        world.example(4, "cards", "abstain", 0.6),
        world.example(5, "cards", "raise", 0.5),
    ]
    outcomes = world.outcomes(examples)
    scores, wrong = scores_and_wrong(outcomes)
    assert scores.tolist() == [0.9, 0.8, 0.7, NEVER, NEVER]
    assert wrong.tolist() == [False, True, True, True, True]
    assert outcomes[4].prediction.abstained == "student error: RuntimeError"
    assert [outcome.abstained for outcome in outcomes] == [False, False, False, True, True]


@pytest.mark.parametrize("confidence", [math.nan, math.inf, -math.inf])
def test_r10_a_confidence_that_is_no_number_is_never_accepted(world, confidence):
    class Broken:
        id = family = "broken"

        def predict(self, given):
            return Prediction({"": "cards"}, Answer(text="cards"), confidence)

    (outcome,) = answer(Broken(), [world.example(1, "cards", "cards", 0.9)])
    assert outcome.score == NEVER
    assert outcome.agrees


def test_progress_ends_at_the_total(world):
    seen = []
    answer(world.student, world.rows(120), lambda *step: seen.append(step), "test")
    assert seen == [("test", 50, 120), ("test", 100, 120), ("test", 120, 120)]


def test_a_loss_between_right_and_wrong_is_kept(world):
    rows = world.rows(20)
    found = answer(world.student, rows, loss=lambda record, one: 0.1 if record else 1.0)
    assert graded(found)
    assert losses_of(found).tolist() == [0.1] * 20
    assert all(one.agrees for one in found)
    plain = answer(world.student, rows)
    assert not graded(plain)
    assert set(losses_of(plain).tolist()) <= {0.0, 1.0}
