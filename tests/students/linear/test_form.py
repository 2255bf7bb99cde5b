"""Composition: guesses become a record with its evidence, or a reason to abstain."""

import pytest

from stepdown.students.choice import ABSENT, FREE, Choice, Labels
from stepdown.students.confidence import Platt
from stepdown.students.features import Features
from stepdown.students.linear.form import GATE, Form, Scope, compose
from stepdown.students.spans import SpanGuess


def chosen(index, probability=0.9, log_ratio=3.0):
    return Choice(index, probability, log_ratio, 0.25)


JSON = Form(
    "json",
    {"/kind": Labels(("a", None, ABSENT, FREE)), "/flag": Labels((True, False))},
    {"": Scope(("/kind", "/flag"), {"/city": "absent", "/day": "null", "/sum": "never"})},
)
FOUND = {
    "/city": SpanGuess("Rome", 0.8, 0, 4),
    "/day": SpanGuess("mon", 0.7, 5, 8),
    "/sum": SpanGuess(3.5, 0.6, 9, 12),
}


def test_every_field_gives_its_value_and_probability():
    draft = compose(JSON, None, {"/kind": chosen(0), "/flag": chosen(1, 0.5, 1.0)}, FOUND)
    assert draft.record == {
        "/kind": "a",
        "/flag": False,
        "/city": "Rome",
        "/day": "mon",
        "/sum": 3.5,
    }
    assert draft.fields == {"/kind": 0.9, "/flag": 0.5, "/city": 0.8, "/day": 0.7, "/sum": 0.6}
    assert (draft.log_ratio, draft.entropy, draft.spans, draft.root) == (1.0, 0.5, 3, -1)
    assert draft.abstained == ""


@pytest.mark.parametrize(("index", "record"), [(1, {"/kind": None}), (2, {})])
def test_null_and_absent_are_kept_apart(index, record):
    draft = compose(JSON, None, {"/kind": chosen(index), "/flag": chosen(0)}, FOUND)
    assert {path: value for path, value in draft.record.items() if path == "/kind"} == record
    assert draft.abstained == ""


@pytest.mark.parametrize(
    ("path", "guess", "reason"),
    [
        ("/sum", SpanGuess(None, 0.9), "Nothing was found for /sum"),
        ("/city", SpanGuess(None, 0.9, 1, 2, failed=True), "/city can't be read"),
        ("/kind", None, "/kind is free text"),
    ],
)
def test_what_cannot_be_filled_abstains(path, guess, reason):
    choices = {"/kind": chosen(0 if guess else 3), "/flag": chosen(0)}
    draft = compose(JSON, None, choices, {**FOUND, path: guess} if guess else FOUND)
    assert reason in draft.abstained
    assert path not in draft.record


def test_a_missing_span_is_written_as_the_teacher_writes_it():
    nothing = {**FOUND, "/city": SpanGuess(None, 0.9), "/day": SpanGuess(None, 0.8)}
    draft = compose(JSON, None, {"/kind": chosen(0), "/flag": chosen(0)}, nothing)
    assert "/city" not in draft.record
    assert draft.record["/day"] is None
    assert draft.spans == 1


def test_span_probabilities_are_recalibrated():
    form = Form("json", {}, {"": Scope((), {"/city": "absent"})}, {"/city": Platt(2.0, 0.0)})
    draft = compose(form, None, {}, {"/city": SpanGuess("Rome", 0.8)})
    assert draft.fields["/city"] == pytest.approx(16 / 17)


TOOLS = Form(
    "tool",
    {"/tool": Labels(("book", None, "odd")), "/book/seats": Labels((2,))},
    {"book": Scope(("/book/seats",)), "odd": Scope(refused="Too few examples.")},
)


def test_a_tool_brings_its_own_arguments():
    choices = {"/tool": chosen(0), "/book/seats": chosen(0, 1.0)}
    assert TOOLS.tool(choices) == "book"
    draft = compose(TOOLS, "book", choices, {})
    assert draft.record == {"/tool": "book", "/book/seats": 2}
    assert draft.root == 0


def test_no_tool_has_no_arguments():
    choices = {"/tool": chosen(1)}
    assert TOOLS.tool(choices) is None
    assert compose(TOOLS, None, choices, {}).record == {"/tool": None}


def test_a_refused_tool_is_left_to_the_teacher():
    assert compose(TOOLS, "odd", {"/tool": chosen(2)}, {}).abstained == "Too few examples."


def test_a_tool_without_known_arguments_is_called_without():
    form = Form("tool", {"/tool": Labels(("stop",))}, {})
    draft = compose(form, "stop", {"/tool": chosen(0)}, {})
    assert (draft.record, draft.abstained) == ({"/tool": "stop"}, "")


def test_the_gate_closes_before_anything_else():
    form = Form("text", {GATE: Labels((True, False)), "": Labels(("x",))}, {"": Scope(("",))})
    shut = compose(form, None, {GATE: chosen(1), "": chosen(0)}, {})
    assert (shut.record, "shape" in shut.abstained) == ({}, True)
    opened = compose(form, None, {GATE: chosen(0, 0.7), "": chosen(0)}, {})
    assert opened.record == {"": "x"}
    assert opened.fields == {GATE: 0.7, "": 0.9}
    assert opened.root == 0


def test_evidence_holds_all_that_confidence_asks_for(students):
    draft = compose(JSON, None, {"/kind": chosen(0), "/flag": chosen(0)}, FOUND)
    empty = students["text"].featurizer.extract(())
    found = draft.evidence(Features(empty.ids, empty.weights, empty.dense, 7, 0.5))
    assert found.probabilities == (0.9, 0.9, 0.8, 0.7, 0.6)
    assert (found.words, found.known, found.spans, found.root) == (7, 0.5, 3, -1)
