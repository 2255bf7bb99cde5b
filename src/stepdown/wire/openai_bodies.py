"""A core request written as the JSON body of a chat-completions request, for another model.

What it is for: putting a logged request to a cheaper model. What shapes the answer is kept, by a
list; streaming, storing, the caller's own marks and unknown fields are left out.
"""

from typing import Any

import msgspec

from stepdown.core.calls import Message, Request
from stepdown.wire.openai_tools import dump_toolset

__all__ = ["request_body"]

_encode = msgspec.json.Encoder().encode

_KEPT = frozenset(
    (
        "chat_template_kwargs",
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "min_p",
        "modalities",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "repetition_penalty",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_logprobs",
        "top_p",
        "verbosity",
    )
)
"""What shapes an answer. Nothing else goes to a model that the caller did not name: a field unknown
here may mean something there."""


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
    kept = {name: value for name, value in request.params.items() if name in _KEPT}
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
