"""Every fault of a line has its own name."""

import json

import pytest

from stepdown.logs import reasons


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": 1}', None),
        (b' {"a": 1}\r', None),
        (b'{"a": "b', reasons.CUT_OFF),
        (b'{"a": [1, 2', reasons.CUT_OFF),
        ('{"a": "é'.encode()[:-1], reasons.CUT_OFF),
        (b'{"a": "\xff"}', reasons.INVALID_UTF8),
        (b"hello", reasons.NOT_JSON),
        (b"{a: 1}", reasons.NOT_JSON),
        (b"[1]", reasons.NOT_AN_OBJECT),
        (b"3", reasons.NOT_AN_OBJECT),
        (b'{"a": NaN}', reasons.NOT_A_NUMBER),
        (b'{"a": [-Infinity]}', reasons.NOT_A_NUMBER),
        (b'{"a": "\\ud800"}', reasons.ODD_JSON),
        (b'{"a": 1' + b"0" * 5000 + b"}", reasons.ODD_JSON),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", reasons.TOO_DEEP),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_json_problem_names_the_fault(data, reason):
    assert reasons.json_problem(data) == reason


def test_every_cut_of_a_line_is_a_cut():
    whole = json.dumps({"a": {"b": ["é", 1.5, True, None]}}, ensure_ascii=False).encode()
    assert {reasons.json_problem(whole[:at]) for at in range(1, len(whole))} == {reasons.CUT_OFF}
