"""Recurrence: what begins or ends alike again and again is seen, what does not is not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from stepdown.audit.recurrence import Recurrence

HEAD = "Rewrite this product description for our spring catalogue, in two lines:\n"


def said(user, system=""):
    return (system, "", user)


def test_a_beginning_recurs_whatever_its_numbers():
    recurrence = Recurrence()
    head = "Order 123 of 2026-11-01: write a friendly note to the customer, who is waiting. "
    first = [recurrence.recurs(said(head + f"{n} lamps and a table {n}" * 5)) for n in range(10)]
    assert not any(first)
    assert recurrence.recurs(said(head.replace("123", "987") + "and something else" * 5))


def test_an_ending_and_a_system_prompt_recur_too():
    recurrence = Recurrence()
    for n in range(10):
        assert not recurrence.recurs(
            said("x", f"You draft replies to complaints. Case {'ab'[n % 2]}")
        )
    assert recurrence.recurs(said("y", "You draft replies to complaints. Case z"))


def test_what_was_mined_for_nothing_is_forgotten():
    recurrence = Recurrence()
    for n in range(20):
        recurrence.recurs(said(HEAD + f"text {n} " * 20))
    recurrence.forget(said(HEAD + "any" * 30))
    assert not recurrence.recurs(said(HEAD + "another " * 20))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.text(max_size=60), max_size=40))
def test_short_texts_never_recur(texts):
    recurrence = Recurrence()
    assert not any(recurrence.recurs(said(text)) for text in texts)
