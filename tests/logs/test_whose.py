"""Every format tells of the end user, where its tool keeps one."""

import json

import pytest

from stepdown.core.ports import Line
from stepdown.logs.helicone import FORMAT as HELICONE
from stepdown.logs.langfuse import FORMAT as LANGFUSE
from stepdown.logs.litellm import FORMAT as LITELLM
from stepdown.logs.native import FORMAT as NATIVE
from stepdown.logs.otel import FORMAT as OTEL
from stepdown.logs.plain import FORMAT as PLAIN

MESSAGES = [{"role": "user", "content": "hi"}]
REQUEST = {"model": "m", "messages": MESSAGES}
ANSWER = {"role": "assistant", "content": "x"}
RESPONSE = {"model": "m", "choices": [{"message": ANSWER}]}
SPAN = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m",
    "gen_ai.input.messages": json.dumps(
        [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
    ),
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "x"}]}]
    ),
    "enduser.id": "ann",
}
LINES = [
    (NATIVE, {"request": REQUEST, "response": RESPONSE, "metadata": {"user_id": "ann"}}),
    (PLAIN, {"prompt": "hi", "response": "x", "user_id": "ann"}),
    (
        LITELLM,
        {
            "request_id": "r",
            "call_type": "completion",
            "spend": 0.1,
            "end_user": "ann",
            "messages": MESSAGES,
            "response": RESPONSE,
            "metadata": {},
        },
    ),
    (HELICONE, {"request_body": REQUEST, "response_body": RESPONSE, "user_id": "ann"}),
    (
        LANGFUSE,
        {
            "id": "g",
            "type": "GENERATION",
            "model": "m",
            "input": MESSAGES,
            "output": ANSWER,
            "userId": "ann",
        },
    ),
    (
        OTEL,
        {
            "name": "chat m",
            "spanId": "01",
            "attributes": [
                {"key": key, "value": {"stringValue": value}} for key, value in SPAN.items()
            ],
        },
    ),
]


@pytest.mark.parametrize(("reader", "line"), LINES, ids=[f.name for f, _ in LINES])
def test_the_user_is_told(reader, line):
    (call,) = reader.read([Line(json.dumps(line).encode(), "log", 1)])
    assert not isinstance(call, str), call
    assert call.by["user"] == "ann"
