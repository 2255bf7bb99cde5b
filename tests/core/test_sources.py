"""A source is the narrowest name that the log has, as a mark that does not show it."""

import re

from stepdown.core.calls import Answer, Call, Message, Request
from stepdown.core.people import mark_of
from stepdown.core.sources import source_of


def call(by=None, params=None, metadata=None):
    request = Request("m", (Message("user", "hi"),), params=params or {}, metadata=metadata or {})
    return Call("c", request, Answer("x"), "m", by=by or {})


def test_the_user_comes_first_wherever_he_is_named():
    marks = {
        source_of(call(by={"user": "ann", "key": "k"})),
        source_of(call(by={"key": "k"}, params={"user": "ann"})),
        source_of(call(params={"safety_identifier": "ann"})),
        source_of(call(by={"team": "t"}, metadata={"user_id": "ann"})),
    }
    assert marks == {mark_of("ann")}


def test_without_a_user_it_is_the_key_then_the_team_then_the_service():
    by = {"service": "shop", "team": "care", "key": "ci"}
    found = []
    for kind in ("key", "team", "service"):
        found.append(source_of(call(by=by)))
        del by[kind]
    assert [mark.partition("-")[0] for mark in found] == ["key", "team", "service"]
    assert source_of(call(by={"code": "app.py:3"})) == ""
    assert source_of(call(params={"user": 7})) == ""


def test_a_mark_does_not_show_the_name_and_stays_itself():
    mark = source_of(call(by={"user": "ann@example.com"}))
    assert re.fullmatch(r"user-[0-9a-f]{16}", mark)
    assert source_of(call(by={"user": mark})) == mark
    assert source_of(call(by={"key": "ann"})) != source_of(call(by={"team": "ann"}))
