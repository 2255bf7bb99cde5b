"""Captured lines as comparisons: escalations, audits, and one call answered by two tiers."""

import json

import pytest

from stepdown.route.captured import AUDITED, COMPARED, ESCALATED, compared_lines
from stepdown.route.rows import PROSE, Compared


def line(name, said="billing", text="Classify the ticket: my card", **about):
    request = {"model": "m", "messages": [{"role": "user", "content": text}]}
    message = {"role": "assistant", "content": said}
    response = {"object": "chat.completion", "model": "m", "choices": [{"message": message}]}
    return json.dumps(
        {"id": name, "request": request, "response": response, "stepdown": about}
    ).encode()


def read(*lines):
    return list(compared_lines(lambda: lines))


@pytest.mark.parametrize(("answer", "hard"), [("Billing", False), ("refund", True)])
def test_a_student_s_answer_is_compared_with_the_frontier_s(answer, hard):
    guess = {"text": answer}
    (escalated,) = read(line("a", tier="frontier", task="t", student_answer=guess))
    assert isinstance(escalated, Compared)
    assert (escalated.hard, escalated.source) == (hard, ESCALATED)
    (audited,) = read(
        line("a", tier="frontier", task="t", student_answer=guess, audit_of="b"),
    )
    assert isinstance(audited, Compared)
    assert (audited.hard, audited.source) == (hard, AUDITED)


@pytest.mark.parametrize("mid_first", [True, False])
@pytest.mark.parametrize(("answer", "hard"), [("billing", False), ("refund", True)])
def test_two_lines_of_one_request_are_a_comparison_in_either_order(mid_first, answer, hard):
    if mid_first:
        lines = (line("a", answer, tier="mid"), line("b", tier="frontier", audit_of="a"))
    else:
        lines = (line("a", tier="frontier"), line("b", answer, tier="mid", audit_of="a"))
    for order in (lines, lines[::-1]):
        (found,) = read(*order)
        assert isinstance(found, Compared)
        assert (found.hard, found.source) == (hard, COMPARED)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((line("b", tier="frontier", audit_of="gone"),), "is not there"),
        ((line("a", tier="mid"), line("b", tier="mid", audit_of="a")), "one tier"),
        ((line("a", tier="frontier", student_answer=None),), "gave no answer"),
        ((b'{"audit_of"',), "can't be read"),
        ((b'{"id": "a", "request": 1, "stepdown": {"student_answer": 3}}',), "can't be read"),
        (
            (line("a", text="Tell me of the sea", tier="frontier", student_answer={"text": "x"}),),
            PROSE,
        ),
    ],
)
def test_what_is_no_comparison_says_why(lines, why):
    (found,) = read(*lines)
    assert isinstance(found, str)
    assert why in found


def test_other_lines_are_passed_over():
    assert read(line("a", tier="frontier"), line("b", tier="small"), b"not json") == []


def test_a_failed_call_is_no_comparison():
    failed = b'{"id":"a","request":{"messages":[]},"response":null,"stepdown":{"audit_of":"b"}}'
    (found,) = read(failed, line("b", tier="mid"))
    assert isinstance(found, str)
