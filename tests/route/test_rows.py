"""When two answers are one: by value, by label; and when that can't be told."""

import pytest

from stepdown.core.calls import Answer, Message, OutputFormat, Request, Tool, ToolCall, Toolset
from stepdown.route.rows import PROSE, agrees, gathered, prompted

LABELS = prompted("Classify this ticket.")
JSON = Request("m", (Message("user", "Read."),), output_format=OutputFormat("json_object"))
TOOLS = Request("m", (Message("user", "Book it."),), tools=Toolset((Tool("book"),), "h"))
PROSE_ASKED = prompted("Tell me about the sea.")


def said(text):
    return Answer(text=text)


def called(arguments, name="book"):
    return Answer(tool_calls=(ToolCall(name, arguments),))


@pytest.mark.parametrize(
    ("request_", "cheap", "dear", "same"),
    [
        (LABELS, said("Billing."), said("billing"), True),
        (LABELS, said('"billing"'), said("Billing"), True),
        (LABELS, said("refund"), said("billing"), False),
        (LABELS, said(None), said("billing"), False),
        (LABELS, said("x"), said("billing\nbecause it is about money"), PROSE),
        (LABELS, said("x"), said("a" * 65), PROSE),
        (JSON, said('{"a": 1, "b": null}'), said('{ "a": 1.0 }'), True),
        (JSON, said('```json\n{"a": 1}\n```'), said('{"a": 1}'), True),
        (JSON, said('{"a": 2}'), said('{"a": 1}'), False),
        (JSON, said("no idea"), said('{"a": 1}'), False),
        (JSON, said('{"a": 1}'), said("no idea"), "not of the form"),
        (TOOLS, called('{"day": 1}'), called('{"day":1.0}'), True),
        (TOOLS, called('{"day": 2}'), called('{"day": 1}'), False),
        (TOOLS, said("Which day?"), called('{"day": 1}'), False),
        (TOOLS, called('{"day": 1}'), said("Which day do you mean? Please say more."), False),
        (TOOLS, said("When?"), said("Which day do you mean?"), PROSE),
        (PROSE_ASKED, said("It is wet."), said("It is wet."), PROSE),
        (LABELS, said("billing"), Answer(text="no", refusal="no"), "refused"),
    ],
)
def test_answers_are_compared_by_what_was_asked_for(request_, cheap, dear, same):
    found = agrees(request_, cheap, dear, closed=False)
    if isinstance(same, str):
        assert isinstance(found, str)
        assert same in found
    else:
        assert found is same


def test_a_known_task_s_answer_is_closed_whatever_the_request_looks_like():
    assert agrees(PROSE_ASKED, said("billing"), said("Billing"), closed=True) is True
    assert agrees(PROSE_ASKED, said('{"a": 1}'), said('{"a":1}'), closed=True) is True


def test_reasons_are_counted():
    found = gathered(["one", "two", "one"])
    assert found.rows == ()
    assert found.skipped == {"one": 2, "two": 1}
