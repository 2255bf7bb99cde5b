"""Hints come from the line's metadata, or else from the request's."""

from stepdown.core.calls import Message, Request
from stepdown.logs.hints import caller_hints

ASKED = Request("m", (Message("user"),), metadata={"stepdown_task": "asked", "group": "g"})
SILENT = Request("m", (Message("user"),))


def test_the_line_goes_before_the_request():
    assert caller_hints({"stepdown_task": "logged", "group": 7}, ASKED) == ("logged", "7")
    assert caller_hints({}, ASKED) == ("asked", "g")


def test_nothing_said_is_none():
    assert caller_hints(None, SILENT) == (None, None)
    assert caller_hints("odd", SILENT) == (None, None)
    assert caller_hints({"stepdown_task": "", "group": None}, SILENT) == (None, None)
