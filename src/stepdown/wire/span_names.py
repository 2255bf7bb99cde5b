"""Spans of tools that have names of their own → the names of OpenTelemetry's GenAI conventions.

Vercel's AI SDK writes `ai.prompt.messages` and `ai.response.text`, Logfire whole bodies as
`request_data` and `response_data`, Pydantic AI's first versions a list of messages as `events`.
"""

from collections.abc import Mapping
from typing import Any, cast

from stepdown.wire.exchanges import parsed
from stepdown.wire.genai import PARAMETERS

__all__ = ["conventional", "own_events"]

Json = dict[str, Any]

_CALLS = ("doGenerate", "doStream")
"""What the AI SDK's spans of model calls end in; those around them tell the same once more."""


def conventional(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a span's attributes with what they tell under the conventions' names, where they
    have none of their own."""
    if str(attributes.get("ai.operationId")).endswith(_CALLS):
        return {**_sdk(attributes), **attributes}
    if "request_data" in attributes:
        return {**_bodies(attributes), **attributes}
    return attributes


def own_events(attributes: Mapping[str, Any]) -> list[tuple[str, Json]]:
    """Return the events that stand in an attribute, as (name, attributes)."""
    listed = _objects(attributes.get("events"))
    return [(str(event.get("event.name") or ""), event) for event in listed]


def _sdk(told: Mapping[str, Any]) -> Json:
    said = told.get("ai.response.text") or told.get("ai.response.object")
    parts = [{"type": "text", "content": said}] if said else []
    parts += [_part(call) for call in _objects(told.get("ai.response.toolCalls"))]
    found: Json = {
        "gen_ai.request.model": told.get("ai.model.id"),
        "gen_ai.input.messages": [_turn(one) for one in _objects(told.get("ai.prompt.messages"))],
        "gen_ai.output.messages": [{"role": "assistant", "parts": parts}] if parts else [],
        "gen_ai.tool.definitions": [_tool(one) for one in _objects(told.get("ai.prompt.tools"))],
        "gen_ai.usage.input_tokens": _first(told, "ai.usage.inputTokens", "ai.usage.promptTokens"),
        "gen_ai.usage.output_tokens": _first(
            told, "ai.usage.outputTokens", "ai.usage.completionTokens"
        ),
        "gen_ai.prompt.name": told.get("ai.telemetry.functionId"),
    }
    if "Object" in str(told["ai.operationId"]):
        found["gen_ai.output.type"] = "json"
    return found


def _bodies(told: Mapping[str, Any]) -> Json:
    asked, answered = _object(told["request_data"]), _object(told.get("response_data"))
    found: Json = {name: asked[key] for name, key in PARAMETERS.items() if key in asked}
    found["gen_ai.input.messages"] = asked.get("messages")
    found["gen_ai.tool.definitions"] = asked.get("tools")
    found["gen_ai.openai.request.response_format"] = asked.get("response_format")
    streamed = answered.get("combined_chunk_content")
    said = answered.get("message") or (streamed and {"role": "assistant", "content": streamed})
    found["gen_ai.output.messages"] = [said] if said else []
    return found


def _turn(message: Json) -> Json:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    return {"role": message.get("role"), "parts": [_part(part) for part in _objects(content)]}


def _part(part: Json) -> Json:
    kind = part.get("type") or "tool-call"
    named = {"id": part.get("toolCallId"), "name": part.get("toolName")}
    if kind == "text":
        return {"type": "text", "content": part.get("text")}
    if kind == "tool-call":
        return {**named, "type": "tool_call", "arguments": part.get("input", part.get("args"))}
    if kind != "tool-result":
        return {"type": kind}
    told = part.get("output", part.get("result"))
    inner = cast("Json", told).get("value", cast("Json", told)) if isinstance(told, dict) else told
    return {**named, "type": "tool_call_response", "response": inner}


def _tool(tool: Json) -> Json:
    schema = tool.get("inputSchema", tool.get("parameters"))
    return {"type": "function", "name": tool.get("name"), "parameters": schema} | {
        key: value for key, value in tool.items() if key == "description"
    }


def _first(told: Mapping[str, Any], *names: str) -> Any:
    return next((told[name] for name in names if told.get(name) is not None), None)


def _object(value: Any) -> Json:
    found = parsed(value)
    return cast("Json", found) if isinstance(found, dict) else {}


def _objects(value: Any) -> list[Json]:
    found = parsed(value)
    listed = map(parsed, cast("list[Any]", found)) if isinstance(found, list) else ()
    return [cast("Json", one) for one in listed if isinstance(one, dict)]
