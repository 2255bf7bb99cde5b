"""A captured line becomes what its bill is made of."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Usage
from stepdown.core.savings import Captured, Spent
from stepdown.wire.captured import captured


def line(**changes):
    whole = {
        "id": "1",
        "time": "2026-11-29T00:00:00Z",
        "request": {"model": "big", "messages": [{"role": "user", "content": "secret"}]},
        "response": {
            "model": "big-2026",
            "choices": [],
            "usage": {
                "prompt_tokens": 9,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 3},
            },
        },
        "stepdown": {"tier": "frontier", "task": "t", "model": "big-2026"},
    }
    return json.dumps(whole | changes).encode()


def test_a_relayed_call():
    expected = Captured("big", "big-2026", "t", "frontier", 1795910400.0, Usage(9, 2, 3))
    assert captured(line()) == expected


def test_a_students_tokens_are_estimates():
    found = captured(line(stepdown={"tier": "small", "task": "t", "model": "stepdown/t"}))
    assert (found.tier, found.model, found.estimated) == ("small", "stepdown/t", True)


def test_an_audit_with_what_was_spent_beside_and_retried():
    beside = [{"tier": "mid", "model": "m", "usage": {"prompt_tokens": 4, "completion_tokens": 1}}]
    beside.append({"tier": "mid", "model": "n", "usage": None})
    about = {"tier": "frontier", "audit_of": "0", "retried": 2, "beside": beside}
    found = captured(line(stepdown=about))
    assert (found.kind, found.audit_of, found.retried) == ("audit", "0", 2)
    assert found.beside == (Spent("mid", "m", Usage(4, 1)), Spent("mid", "n"))


@pytest.mark.parametrize(
    ("error", "unbilled"),
    [
        ({"status": 429, "body": "busy"}, True),
        ({"status": 500, "body": "no"}, True),
        ({"status": 503, "message": "not reachable"}, True),
        ({"status": 503, "message": "shut down", "sent": True}, False),
        ({"status": 400, "message": "no"}, True),
        ({"status": 504, "message": "nothing in time"}, False),
        ({"status": 502, "message": "broke off"}, False),
        ({"status": 499, "message": "left"}, False),
        ({"status": 200, "body": "<html>"}, False),
        ({"message": "?"}, False),
        ({"status": "429", "body": "x"}, False),
    ],
)
def test_of_failures_only_those_that_nobody_bills_are_free(error, unbilled):
    found = captured(line(response=None, error=error))
    assert (found.kind, found.unbilled, found.usage) == ("failure", unbilled, None)


def test_what_had_come_before_a_failure_may_tell_its_tokens():
    partial = {"model": "big", "usage": {"prompt_tokens": 5, "completion_tokens": 1}}
    about = {"tier": "frontier", "partial": partial}
    found = captured(line(response=None, error={"status": 499}, stepdown=about))
    assert (found.failed, found.usage) == (True, Usage(5, 1))


def test_a_line_whose_content_was_dropped_is_an_answer_of_unknown_cost():
    found = captured(line(request=None, response=None, error={"message": "dropped"}))
    assert (found.failed, found.usage, found.asked) == (False, None, "")


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": -5, "completion_tokens": 1},
        {"prompt_tokens": 5, "completion_tokens": -1},
        {"prompt_tokens": 10**15, "completion_tokens": 1},
        {"prompt_tokens": 2, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 3}},
        {"prompt_tokens": "many"},
        {"prompt_tokens": 1e300},
        7,
        None,
    ],
)
def test_c13_nonsense_is_unknown(usage):
    assert captured(line(response={"model": "big", "usage": usage})).usage is None


@given(st.binary() | st.sampled_from([b"{}", b"[]", b"null", b"[" * 100_000, b'{"stepdown":7}']))
def test_what_is_no_captured_line_is_none(data):
    assert captured(data) is None
