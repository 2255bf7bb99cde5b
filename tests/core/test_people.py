"""Users are found wherever a tool names them, and nobody else is taken for one."""

import json

import pytest

from stepdown.core.people import mark_of, marks_in, with_marks

ANN = mark_of("ann")
LINES = {
    "chat": {"request": {"user": "ann", "messages": [{"role": "user", "content": "hi"}]}},
    "messages": {"request": {"metadata": {"user_id": "ann"}}},
    "safety": {"request": {"safety_identifier": "ann"}},
    "group": {"metadata": {"group": "ann"}},
    "json in json": {"request": json.dumps({"user": "ann"})},
    "twice": {"body": json.dumps({"request": json.dumps({"endUser": "ann"})})},
    "langfuse": {"userId": "ann"},
    "litellm": {"end_user": "ann"},
    "otlp": {"attributes": [{"key": "user.id", "value": {"stringValue": "ann"}}]},
    "flat": {"user.id": "ann"},
}


@pytest.mark.parametrize("name", LINES)
def test_a_user_is_found(name):
    for separators in ((", ", ": "), (",", ":")):
        line = json.dumps(LINES[name], separators=separators).encode()
        assert list(marks_in(line)) == [ANN]


def test_roles_and_words_are_no_users():
    line = json.dumps({"role": "user", "content": 'the user: "ann" said user'}).encode()
    assert list(marks_in(line)) == []


def test_numbers_escapes_and_marks_are_users_too():
    assert list(marks_in(b'{"user_id": 4711}')) == [mark_of("4711")]
    assert list(marks_in(b'{"user": "j\\u00fcrg"}')) == [mark_of("jürg")]
    assert mark_of(ANN) == ANN
    assert list(marks_in(b'{"user": "%b"}' % ANN.encode())) == [ANN]


def test_those_chosen_get_marks_and_json_stays_json():
    line = json.dumps({"a": json.dumps({"user": "ann"}), "user": "bob", "n": 1}).encode()
    told = json.loads(with_marks(line, lambda name: name == b"ann"))
    assert told == {"a": json.dumps({"user": ANN}), "user": "bob", "n": 1}
    otlp = json.dumps(LINES["otlp"]).encode()
    (told,) = json.loads(with_marks(otlp, lambda name: True))["attributes"]
    assert told == {"key": "user.id", "value": {"stringValue": ANN}}
