"""Templates are found where answers are filled in, and nowhere else."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.audit.tickets import tickets

from stepdown.audit.wordings import _Pattern, _tokens, find_wordings
from stepdown.core.filled import fill, take_apart
from stepdown.core.templates import Template, match

TEXTS = st.lists(st.sampled_from(["a big cat", "sat", ".", " ", "on", "the mat", "7"]), min_size=1)


def wordings_of(count=120, change=lambda at, text: text):
    inputs, answers = zip(*tickets(count), strict=True)
    return find_wordings([change(at, a) for at, a in enumerate(answers)], inputs)


def test_each_wording_is_a_template_and_its_slots_are_measured():
    found = wordings_of()
    assert found.covered == 1.0
    assert set(found.templates) == {
        Template(("Ticket from ", ": ", "; priority ", ".")),
        Template(("", " wants a new ", ", which should be sent.")),
    }
    at = found.templates.index(Template(("Ticket from ", ": ", "; priority ", ".")))
    kinds = [field.kind for field in found.slots if field.path.startswith(f"/template{at}/")]
    assert kinds == ["copy", "copy", "choice"]


def test_every_answer_is_its_template_filled_in():
    found = wordings_of()
    for _, answer in tickets(120):
        assert fill(found.templates, take_apart(found.templates, answer)) == answer


def test_some_odd_answers_do_no_harm():
    found = wordings_of(change=lambda at, text: text if at % 6 else f"I can't summarise no. {at}!")
    assert len(found.templates) == 2 and 0.8 < found.covered < 0.86


@pytest.mark.parametrize("share", [2, 3])
def test_where_many_answers_are_written_there_are_no_templates(share):
    words = [
        "the",
        "cat",
        "dog",
        "runs",
        "over",
        "under",
        "hill",
        "then",
        "sleeps",
        "with",
        "joy",
        "where",
        "rain",
        "falls",
    ]

    def prose(at, text):
        return text if at % share else " ".join(random.Random(at).choices(words, k=14))

    assert wordings_of(change=prose) is None


def test_an_answer_that_is_always_the_same_is_a_template_without_slots():
    found = wordings_of(change=lambda at, text: "No summary for spam." if at % 4 == 0 else text)
    assert Template(("No summary for spam.",)) in found.templates
    assert found.covered == 1.0


def test_a_slot_that_is_made_up_is_no_slot():
    made_up = [f"The mood is {random.Random(at).random()} today, all in all." for at in range(60)]
    assert find_wordings(made_up, ["hello there"] * 60) is None


def test_few_or_long_answers_are_not_looked_at():
    assert wordings_of(19) is None
    assert find_wordings(["word " * 300 + str(at) for at in range(40)], ["x"] * 40) is None


@given(TEXTS, TEXTS)
def test_what_two_texts_share_matches_both(left, right):
    texts = ["".join(left), "".join(right)]
    pattern = _Pattern(tuple(_tokens(texts[0]))).with_text(_tokens(texts[1]))
    assert all(match(pattern.template(), text) is not None for text in texts)
