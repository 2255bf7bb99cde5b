"""A core request written as the JSON body of a chat-completions request, for another model.

What it is for: putting a logged request to a cheaper model. Streaming, storing and the caller's own
marks are left out; everything that shapes the answer is kept.
"""

from typing import Any

import msgspec

from stepdown.core.calls import Message, Request
from stepdown.wire.openai_tools import dump_toolset

__all__ = ["request_body"]

_encode = msgspec.json.Encoder().encode

_LEFT_OUT = frozenset(("stream_options", "store", "user", "service_tier", "safety_identifier"))


def request_body(request: Request, model: str, **extra: Any) -> bytes:
    """Return the body that asks `model` what `request` asked, with `extra` fields."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message) for message in request.messages],
    }
    if request.tools.tools:
        body["tools"] = dump_toolset(request.tools)
    if request.tool_choice is not None:
        body["tool_choice"] = request.tool_choice
    wanted = request.output_format
    if wanted.kind == "json_schema":
        schema = {"name": "answer", "schema": wanted.schema, "strict": wanted.strict}
        body["response_format"] = {"type": wanted.kind, "json_schema": schema}
    elif wanted.kind != "text":
        body["response_format"] = {"type": wanted.kind}
    kept = {name: value for name, value in request.params.items() if name not in _LEFT_OUT}
    return _encode(body | kept | extra)


def _message(message: Message) -> dict[str, Any]:
    sent: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.tool_call_id:
        sent["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        sent["content"] = message.text or None
        sent["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    return sent
