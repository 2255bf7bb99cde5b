"""Predictions: typed, valid, abstaining rather than guessing, and safe on any text."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stepdown.core.tasks import Segment


def ask(student, text):
    return student.predict((Segment("user", text),))


def test_a_label_comes_with_its_probability(students):
    guess = ask(students["text"], "hello, you charged me twice")
    assert guess.record == {"": "billing"}
    assert guess.answer.text == "billing"
    assert guess.fields.keys() == {""}
    assert guess.confidence > 0.8


def test_fields_come_out_typed_nested_and_in_the_teachers_order(students):
    guess = ask(students["json"], "reset my password in Oslo, as soon as possible")
    value = json.loads(guess.answer.text)
    assert value == {"version": 2, "topic": "account", "place": {"city": "Oslo"}, "urgent": True}
    assert list(value)[:2] == ["version", "topic"]
    assert guess.fields.keys() == {"/topic", "/place/city", "/urgent", "/version"}


def test_a_null_is_written_as_the_teacher_writes_it(students):
    guess = ask(students["json"], "reset my password, no hurry")
    assert json.loads(guess.answer.text)["place"] == {"city": None}


def test_a_call_has_the_arguments_of_its_tool(students):
    guess = ask(students["tool"], "book 3 seats to Rome by train")
    (call,) = guess.answer.tool_calls
    assert call.name == "book"
    assert json.loads(call.arguments) == {"city": "Rome", "seats": 3, "by": "train"}
    assert guess.answer.finish_reason == "tool_calls"
    assert "/cancel/city" not in guess.fields


def test_an_optional_argument_is_left_out(students):
    (call,) = ask(students["tool"], "book 2 seats to Oslo").answer.tool_calls
    assert json.loads(call.arguments) == {"city": "Oslo", "seats": 2}


@pytest.mark.parametrize(
    ("text", "tool", "reason"),
    [
        ("how is Paris these days?", None, "teacher's to write"),
        ("mail the hotel in Prague", "mail", "free text"),
    ],
)
def test_what_it_cannot_answer_it_leaves(students, text, tool, reason):
    guess = ask(students["tool"], text)
    assert guess.record["/tool"] == tool
    assert guess.answer is None
    assert guess.confidence == 0.0
    assert reason in guess.abstained


def test_an_input_unlike_the_training_rows_is_trusted_less(students):
    known = ask(students["text"], "hello, you charged me twice").confidence
    assert ask(students["text"], "zzz qqq xyzzy").confidence < known
    assert ask(students["text"], "").confidence == 0.0


@pytest.mark.parametrize("shape", ["text", "json", "tool"])
@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(codec=None), max_size=60))
def test_any_string_is_answered_or_left(students, shape, text):
    guess = ask(students[shape], text)
    assert 0 <= guess.confidence <= 1
    assert (guess.answer is None) == bool(guess.abstained)
    assert all(0 <= chance <= 1 for chance in guess.fields.values())


@pytest.mark.parametrize("shape", ["text", "json", "tool"])
@pytest.mark.parametrize("text", ["x" * 1_000_000, "book a seat " * 90_000, "\0\x1b\u2028" * 1000])
def test_a_huge_or_odd_text_is_answered_or_left(students, shape, text):
    guess = ask(students[shape], text)
    assert 0 <= guess.confidence <= 1


@pytest.mark.parametrize("shape", ["text", "json", "tool"])
def test_no_segments_at_all_are_survived(students, shape):
    assert students[shape].predict(()).confidence <= 1
