"""What all exports share."""

import json

import pytest

from stepdown.core.calls import Usage
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.exports import Export, amount, call_of, count, empty, mapping, usage_of

LINE = Line(b"{}", "x", 1)
ASKED = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
SAID = b'{"choices": [{"message": {"content": "yes"}}], "model": "m-1", "created": 1793534400}'


def test_the_records_own_words_win_over_the_answers():
    call = call_of(LINE, Export(ASKED, SAID, usage=Usage(3, 1), begun="2026-11-02T00:00:00Z"))
    assert not isinstance(call, str)
    assert (call.usage, call.model, call.time) == (Usage(3, 1), "m-1", 1793577600.0)
    assert call.latency_ms is None


def test_what_an_answer_tells_of_the_cache_stands_beside_the_record_s_counts():
    usage = {"input_tokens": 2, "output_tokens": 1, "cache_creation_input_tokens": 5}
    content = [{"type": "text", "text": "yes"}]
    said = json.dumps({"type": "message", "content": content, "usage": usage}).encode()
    for told, expected in (
        (Usage(2, 1), Usage(7, 1, 0, 5)),
        (Usage(7, 1), Usage(7, 1, 0, 5)),
        (Usage(7, 1, 3), Usage(7, 1, 3)),
        (Usage(9, 1), Usage(9, 1)),
        (Usage(2, 4), Usage(2, 4)),
    ):
        call = call_of(LINE, Export(ASKED, said, usage=told))
        assert not isinstance(call, str)
        assert call.usage == expected


def test_latency_is_from_begin_to_end_and_never_negative():
    call = call_of(LINE, Export(ASKED, SAID, begun=1793534400, ended=1793534401.5))
    assert not isinstance(call, str)
    assert call.latency_ms == 1500.0
    call = call_of(LINE, Export(ASKED, SAID, begun=1793534400, ended=1793534300))
    assert not isinstance(call, str)
    assert call.latency_ms is None


@pytest.mark.parametrize(
    ("asked", "said", "reason"),
    [
        (None, None, reasons.NO_CONTENT),
        (b"{}", b'"{}"', reasons.NO_CONTENT),
        (b"null", SAID, reasons.NO_REQUEST),
        (ASKED, b'""', reasons.NO_ANSWER),
        (b'{"model": "m"}', SAID, reasons.MALFORMED_REQUEST),
        (ASKED, b'{"choices": []}', reasons.MALFORMED_ANSWER),
        (ASKED, b'{"data": [{"embedding": [1]}]}', reasons.NOT_CHAT),
        (ASKED, b'{"error": {"message": "no"}}', reasons.ERROR_ANSWER),
        (ASKED, b'"data: {\\"choices\\": []}\\n\\n"', reasons.MALFORMED_ANSWER),
        (ASKED, b"[1]", reasons.MALFORMED_ANSWER),
    ],
)
def test_why_there_is_no_call(asked, said, reason):
    assert call_of(LINE, Export(asked, said)) == reason


def test_a_failed_call_is_none():
    assert call_of(LINE, Export(ASKED, SAID, failed=True)) == reasons.ERROR_ANSWER


def test_plain_text_is_an_answer():
    call = call_of(LINE, Export(ASKED, json.dumps("<html>hello").encode()))
    assert not isinstance(call, str)
    assert call.answer.text == "<html>hello"


def test_numbers_are_known_or_none():
    assert [amount(v) for v in (1, "1.5", -1, True, "x", float("nan"), None)] == [
        1.0,
        1.5,
        *[None] * 5,
    ]
    assert [amount(v) for v in (1e300, 10**400, "1e400", [])] == [None] * 4
    assert [count(v) for v in (2, "3", 1.5, 10**30)] == [2, 3, None, None]
    assert usage_of(0, 0) is None
    assert usage_of(3, None) is None
    assert usage_of(3, 1, 9) == Usage(3, 1, 3)
    assert usage_of(30, 1, 10, 15) == Usage(30, 1, 10, 15)
    assert usage_of(30, 1, 10, 25) == Usage(30, 1, 10, 20)
    assert usage_of(30, 1, 10, "15", apart=True) == Usage(55, 1, 10, 15)


def test_objects_and_emptiness():
    assert mapping('{"a": 1}') == {"a": 1}
    assert mapping("{") == mapping(5) == {}
    assert empty(b'"[]"')
    assert not empty(b"[1]")
