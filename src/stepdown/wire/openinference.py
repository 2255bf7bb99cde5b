"""OpenInference's conventions → the chat-completions request and answer that a span tells of.

`input.value` is the request's own body where a provider's client was traced, and `output.value` the
answer's; frameworks (LangChain, LlamaIndex, Google's client) put objects of their own there. Then
the numbered attributes (`llm.input_messages.0.message.role`) tell what was said. Attributes are a
span's, decoded: dotted name → value.
"""

from collections.abc import Mapping
from typing import Any, cast

from stepdown.wire.exchanges import parsed
from stepdown.wire.numbered import numbered

__all__ = ["answer_body", "answer_message", "is_chat", "request_body"]

Json = dict[str, Any]

_ROLES = {"human": "user", "ai": "assistant", "model": "assistant"}
_TEXT = ("text", "input_text", "output_text")


def is_chat(attributes: Mapping[str, Any]) -> bool:
    """Say whether the span is of a language model's chat."""
    kind = attributes.get("openinference.span.kind")
    return kind == "LLM" and not any(
        name.startswith(("llm.prompts.", "embedding.")) for name in attributes
    )


def request_body(attributes: Mapping[str, Any]) -> Json | None:
    """Return the request's body, or None where the span has no content."""
    whole = parsed(attributes.get("input.value"))
    if isinstance(whole, dict) and _is_request(cast("Json", whole)):
        return cast("Json", whole)
    turns = [_turn(turn) for turn in numbered(attributes, "llm.input_messages")]
    if not turns:
        text = attributes.get("input.value")
        if not isinstance(text, str) or not text:
            return None
        turns = [{"role": "user", "content": text}]
    parameters = parsed(attributes.get("llm.invocation_parameters"))
    told = cast("Json", parameters) if isinstance(parameters, dict) else {}
    body: Json = {"model": attributes.get("llm.model_name") or "", **told, "messages": turns}
    tools = [parsed(tool.get("tool.json_schema")) for tool in numbered(attributes, "llm.tools")]
    if any(isinstance(tool, dict) for tool in tools):
        body["tools"] = [tool for tool in tools if isinstance(tool, dict)]
    return body


def answer_body(attributes: Mapping[str, Any]) -> Json | None:
    """Return the answer's own body, or None where the span has none of a dialect that is known."""
    whole = parsed(attributes.get("output.value"))
    if not isinstance(whole, dict):
        return None
    body = cast("Json", whole)
    known = body.get("type") == "message" or body.get("role") == "assistant" or body.get("error")
    listed = any(isinstance(body.get(name), list) for name in ("choices", "output"))
    return body if known or listed else None


def answer_message(attributes: Mapping[str, Any]) -> Json | None:
    """Return the assistant message that the span is answered by, or None without content."""
    turns = numbered(attributes, "llm.output_messages")
    if turns and len(turns[0]) > 1:
        return {**_turn(turns[0]), "role": "assistant"}
    text = attributes.get("output.value")
    plain = isinstance(text, str) and text and not isinstance(parsed(text), dict)
    return {"role": "assistant", "content": text} if plain else None


def _is_request(body: Json) -> bool:
    turns = body.get("messages")
    if not isinstance(turns, list):
        return "input" in body and "model" in body
    return all(isinstance(turn, dict) and "role" in turn for turn in cast("list[Any]", turns))


def _turn(turn: Json) -> Json:
    role = turn.get("message.role") or "user"
    message: Json = {"role": _ROLES.get(str(role), role)}
    parts = [_part(part) for part in numbered(turn, "message.contents")]
    message["content"] = parts or turn.get("message.content")
    calls = [_call(call) for call in numbered(turn, "message.tool_calls")]
    if calls:
        message["tool_calls"] = calls
    if turn.get("message.tool_call_id"):
        message["tool_call_id"] = turn["message.tool_call_id"]
    return message


def _part(part: Json) -> Json:
    kind = part.get("message_content.type")
    if kind in _TEXT:
        return {"type": "text", "text": part.get("message_content.text") or ""}
    return {"type": str(kind)}


def _call(call: Json) -> Json:
    function = {
        "name": call.get("tool_call.function.name") or "",
        "arguments": call.get("tool_call.function.arguments") or "",
    }
    return {"id": call.get("tool_call.id"), "type": "function", "function": function}
