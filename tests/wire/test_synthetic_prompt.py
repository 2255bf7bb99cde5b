"""The question for inputs seals the examples; what was written goes where an input stands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Answer, Message, Request
from stepdown.core.tasks import Signature, Task, Verdict, texts
from stepdown.core.templates import Template
from stepdown.wire.synthetic_prompt import hole_of, inputs_in, with_text, writing_request

TASK = Task(
    "t",
    "routing",
    Signature(
        system=Template(("Route tickets of ", ".")),
        user=Template(("From: ", "\nTicket: ", "\n(end)")),
    ),
    Anatomy("text", (Field("", "choice", values=("billing", "sales")),), 1, 1.0, 1.0),
    Verdict("distil"),
)


def call(ticket, sender="ann"):
    system = Message("system", "Route tickets of Acme.")
    return Request("m", (system, Message("user", f"From: {sender}\nTicket: {ticket}\n(end)")))


@given(st.lists(st.text(st.sampled_from('"}]\n\u2028BEGINDabcdef01 ')), max_size=4))
def test_s19_examples_never_leave_their_data(shots):
    request = writing_request(TASK, 3, "is plain", [{"": "billing"}], shots)
    system, user = (message.text for message in request.messages)
    begin, data, end = user.split("\n")
    mark = begin.removeprefix("BEGIN ")
    assert end == f"END {mark}"
    assert len(user.splitlines()) == 3
    assert json.loads(data) == shots
    assert mark not in data
    assert request == writing_request(TASK, 3, "is plain", [{"": "billing"}], shots)
    other = writing_request(TASK, 3, "is plain", [{"": "billing"}], [*shots, "x"])
    plain = other.messages[1].text.split("\n")[0].removeprefix("BEGIN ")
    assert other.messages[0].text.replace(plain, mark) == system


def test_the_question_says_what_is_wanted():
    system = writing_request(TASK, 3, "is plain", [{"": "billing"}, {}], ["hi"]).messages[0].text
    assert "From: {3}\nTicket: {4}\n(end)" in system
    assert "inputs for hole {4}" in system
    assert 'The entries: [{"":"billing"},{}]' in system


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ('{"inputs": ["a", "b"]}', ["a", "b"]),
        ('```json\n["a", 7, "b"]\n```', ["a", "b"]),
        ('{"inputs": "a"}', []),
        ('{"inputs": ["a"', []),
        ("I can't do that.", []),
        (None, []),
    ],
)
def test_what_was_written_is_read(text, inputs):
    assert inputs_in(Answer(text)) == inputs


def test_the_longest_hole_of_the_last_message_is_written_for():
    assert hole_of(TASK, [call("my parcel never came"), call("x")]) == 3
    assert hole_of(TASK, []) is None
    fixed = Task("t", "t", Signature(user=Template(("Go",))), TASK.anatomy, TASK.verdict)
    assert hole_of(fixed, [Request("m", (Message("user", "Go"),))]) is None


def test_a_text_takes_the_place_of_another_and_nothing_else_changes():
    made, before = with_text(TASK, call("old one"), 3, "a new\none")
    assert before == "old one"
    assert made == call("a new\none")
    parts = TASK.signature.match(*texts(made)) or ()
    assert [part.text for part in parts] == [
        "Acme",
        "ann",
        "a new\none",
    ]
    assert with_text(TASK, call("old one"), 3) == (call("old one"), "old one")
    assert with_text(TASK, call(""), 3, "x") == (call(""), "")
