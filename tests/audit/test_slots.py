"""Slots: a few instructions divide tasks; names, dates, ids and free text are data."""

import random

import pytest
from tests.audit.prompts import NAMES, free

from stepdown.audit.slots import Slot, divide, instruction, is_free, is_labelled, is_long


def drawn(values, count=200):
    pick = random.Random(0)
    return [pick.choice(values) for _ in range(count)]


def test_two_instructions_divide():
    values = drawn(["Answer in one word.", "Explain your reasoning in detail."])
    labels = divide(Slot(values, before="You sort the mail. "), frozenset())
    assert labels is not None
    assert len({label for label, v in zip(labels, values, strict=True) if v == values[0]}) == 1
    assert len(set(labels)) == 2


@pytest.mark.parametrize(
    "values",
    [list(NAMES), [f"2026-11-{day:02}" for day in range(1, 9)], [str(10**6 + n) for n in range(9)]],
)
def test_names_dates_and_ids_are_data(values):
    assert divide(Slot(drawn(values), before="Agent: "), frozenset()) is None


def test_free_text_is_data():
    pick = random.Random(2)
    slot = Slot([free(pick) for _ in range(200)], whole=True)
    assert is_free(slot)
    assert is_long(Slot([free(pick) * 5 for _ in range(20)]))
    assert divide(slot, frozenset()) is None
    assert divide(Slot(["one"]), frozenset()) is None


def test_a_label_announces_data():
    assert is_labelled("Text: ")
    assert not is_labelled("You sort the mail ")
    assert instruction("Answer in one word", "Be brief. ")
    assert instruction("whatever it says", "Text: ") == ""
