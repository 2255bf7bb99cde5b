"""Planted wrong labels are doubted, and hard rows that nobody is sure of are not."""

from stepdown.core.datasets import Example
from stepdown.core.ports import Rehearsed
from stepdown.train import doubts

EXAMPLES = [Example(str(n), (), {"": "yes"}) for n in range(100)]


def guesses(**others):
    found = {str(n): Rehearsed({"": "yes"}, 0.5 + n / 250) for n in range(100)}
    return found | {key.lstrip("r"): guess for key, guess in others.items()}


def test_a_sure_disagreement_is_doubted_and_an_unsure_one_is_not():
    found = doubts(
        guesses(
            r7=Rehearsed({"": "no"}, 0.95),
            r8=Rehearsed({"": "no"}, 0.99),
            r9=Rehearsed({"": "no"}, 0.4),
            r10=Rehearsed({"": "no"}, None),
        ),
        EXAMPLES,
    )
    assert [doubt.id for doubt in found] == ["8", "7"]
    assert found[0].said == {"": "yes"}
    assert found[0].guessed == {"": "no"}


def test_rows_of_another_shape_and_rows_not_rehearsed_are_passed_over():
    odd = Example("7", (), {}, known=False)
    assert doubts({"7": Rehearsed({"": "no"}, 0.99)}, [odd]) == []
    assert doubts({}, EXAMPLES) == []
