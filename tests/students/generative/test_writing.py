"""Slots are filled one after another, or read from a whole answer; nothing odd gets through."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.datasets import Example
from stepdown.students.generative.port import EngineError, Said
from stepdown.students.generative.prompts import Prompt
from stepdown.students.generative.search import Ranked
from stepdown.students.generative.slots import form_of, target_of
from stepdown.students.generative.writing import write

from .conftest import TICKET_TASK, TOPIC_TASK, tickets, topics
from .test_slots import CALLS, calls

PROMPT = Prompt("Do.", "<", ">")


class Scripted:
    """Chooses the option and writes the text that it was told to, and notes the prompts."""

    def __init__(self, *texts, piecewise=True):
        self.texts = list(texts)
        self.piecewise = piecewise
        self.prompts = []

    def choose(self, prompt, options, *, line):
        self.prompts.append(prompt)
        text = self.texts.pop(0)
        return Ranked(options.index(text), 0.9, 2.0, -0.1) if text in options else None

    def write(self, prompt, grammar, most):
        self.prompts.append(prompt)
        text = self.texts.pop(0)
        if text is None:
            raise EngineError("gone")
        return Said(text, (-0.5, -0.5), ended=text != "cut")


def test_slots_follow_on_what_was_written():
    form = form_of(TICKET_TASK, tickets(40))
    engine = Scripted(' "loans"\n', ' "about it"\n')
    draft = write(engine, form, PROMPT, "hi")
    assert draft.record == {"/topic": "loans", "/note": "about it"}
    assert draft.fields == {"/topic": 0.9, "/note": pytest.approx(math.exp(-1))}
    assert engine.prompts == ["<hi>/topic:", '<hi>/topic: "loans"\n/note:']
    assert draft.surprise == pytest.approx(1.1)


def test_a_tool_has_its_own_arguments():
    form = form_of(CALLS, calls())
    draft = write(Scripted(' "book"\n', ' "day 9"\n'), form, PROMPT, "hi")
    assert draft.record == {"/tool": "book", "/book/city": "rome", "/book/when": "day 9"}
    assert write(Scripted(" null\n"), form, PROMPT, "hi").record == {"/tool": None}


def test_several_calls_are_one_list():
    pair = [{"name": "book", "arguments": {"city": "rome"}}, {"name": "cancel", "arguments": {}}]
    rows = [*calls(), *(Example(f"s{at}", (), {"/calls": pair}) for at in range(5))]
    form = form_of(CALLS, rows)
    draft = write(Scripted(' "*"\n', f" {json.dumps(pair)}\n"), form, PROMPT, "hi")
    assert draft.record == {"/calls": pair}
    whole = write(Scripted(target_of(form, draft.record), piecewise=False), form, PROMPT, "hi")
    assert whole.record == {"/calls": pair}


def test_what_can_not_be_read_is_an_abstention():
    form = form_of(TICKET_TASK, tickets(40))
    for texts in (["what"], [' "loans"\n', "cut"], [' "loans"\n', "{"], [' "loans"\n', None]):
        assert write(Scripted(*texts), form, PROMPT, "hi").abstained


@given(st.sampled_from(["cards", "loans", "travel"]), st.text(max_size=20))
def test_a_whole_answer_is_read_as_it_was_taught(topic, note):
    form = form_of(TICKET_TASK, tickets(40))
    record = {"/topic": topic, "/note": note}
    engine = Scripted(target_of(form, record), piecewise=False)
    draft = write(engine, form, PROMPT, "hi")
    assert not draft.abstained
    assert draft.record == record
    assert engine.prompts == ["Do.\n\nhi"]


@pytest.mark.parametrize(
    "text",
    ["", '/topic: "other"\n/note: "x"\n', '/topic: "cards"\n', '/topic: cards\n/note: "x"',
     '/topic: "cards"\n/note: "x"\n/more: 1\n', "cut", None],
)  # fmt: skip
def test_a_whole_answer_of_another_form_is_an_abstention(text):
    form = form_of(TICKET_TASK, tickets(40))
    assert write(Scripted(text, piecewise=False), form, PROMPT, "hi").abstained


def test_a_whole_label_has_to_be_a_known_one():
    form = form_of(TOPIC_TASK, topics(40))
    assert write(Scripted("cards\n", piecewise=False), form, PROMPT, "x").record == {"": "cards"}
    assert write(Scripted("cats", piecewise=False), form, PROMPT, "x").abstained
