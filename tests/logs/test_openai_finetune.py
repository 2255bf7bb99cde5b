"""Fine-tuning files: the last assistant message is the answer."""

import json
from typing import Any

import pytest

from stepdown.core.calls import ToolCall
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.openai_finetune import FORMAT, UNWEIGHTED

USER = {"role": "user", "content": "hi"}
SAID = {"role": "assistant", "content": "yes"}


def read(value) -> Any:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    (found,) = FORMAT.read([Line(data, "train.jsonl", 3)])
    return found


def test_what_stands_before_the_last_answer_is_the_request():
    first = {"role": "assistant", "content": "hello", "weight": 0}
    call = read({"messages": [{"role": "system", "content": "s"}, USER, first, USER, SAID]})
    assert [message.role for message in call.request.messages] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert call.answer.text == "yes"
    assert (call.model, call.usage, call.time, call.cost_usd) == ("", None, None, None)


def test_tools_and_calls_are_read():
    function = {"name": "f", "arguments": "{}"}
    asked = {"role": "assistant", "tool_calls": [{"id": "1", "function": function}]}
    tools = [{"type": "function", "function": {"name": "f"}}]
    call = read({"messages": [USER, asked], "tools": tools, "parallel_tool_calls": False})
    assert call.answer.tool_calls == (ToolCall("f", "{}", "1"),)
    assert call.request.tools.get("f") is not None
    assert call.request.params == {"parallel_tool_calls": False}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"messages": [USER]}, reasons.NO_ANSWER),
        ({"messages": []}, reasons.NO_ANSWER),
        ({"messages": [SAID]}, reasons.NO_REQUEST),
        ({"tools": []}, reasons.NO_REQUEST),
        ({"messages": [USER, SAID | {"weight": 0}]}, UNWEIGHTED),
        ({"messages": [USER, {"content": "no role"}]}, reasons.MALFORMED_REQUEST),
        ({"messages": "text"}, reasons.MALFORMED_REQUEST),
        (b'{"messages": [', reasons.CUT_OFF),
    ],
)
def test_a_line_without_a_call_says_why(value, reason):
    assert read(value) == reason


def test_messages_after_the_answer_are_not_part_of_the_call():
    call = read({"messages": [USER, SAID, USER]})
    assert len(call.request.messages) == 1
