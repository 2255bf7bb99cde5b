"""Anthropic's messages → the chat-completions body that asks the same.

One form of every request is enough for the rest of the house: it is matched, answered and logged
as a chat-completions request, whatever dialect it came in. What has no counterpart keeps its name,
so that a student's contract sees it and leaves the request to the teacher.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import msgspec

from stepdown.errors import InputError
from stepdown.wire.openai_tools import UNREADABLE, check_nesting

__all__ = ["chat_of_messages"]

Json = dict[str, Any]

_SAME = frozenset(("model", "max_tokens", "stream", "temperature", "top_p", "service_tier"))
_THOUGHTS = ("thinking", "redacted_thinking")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_FUNCTION = ("", "custom")

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def chat_of_messages(body: bytes) -> bytes:
    """Return the chat-completions body for the body of a messages request.

    Thoughts of earlier turns and cache marks are left out: they ask for nothing. Tool results
    become messages of their own, before what their turn says beside them.

    Raises:
        InputError: it is not such a request.
    """
    try:
        sent = _decode(body)
        check_nesting(body, sent)
        return _encode(_chat(sent))
    except UNREADABLE as problem:
        raise InputError(
            f"This is not a messages request: {problem}; send a JSON object with `model`, "
            "`max_tokens` and a list of `messages`."
        ) from problem


def _chat(sent: Json) -> Json:
    chat: Json = {"messages": list(_messages(sent))}
    for name, value in sent.items():
        if name in _SAME:
            chat[name] = value
        elif name in _TRANSLATED:
            chat |= _TRANSLATED[name](value)
        elif name not in ("messages", "system"):
            chat[name] = value
    return chat


def _messages(sent: Json) -> Iterable[Json]:
    system = sent.get("system")
    if system:
        yield {"role": "system", "content": _content(system)}
    messages = sent.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ValueError("it has no list of `messages`, or an empty one")
    for message in cast("list[Any]", messages):
        if not isinstance(message, dict):
            raise ValueError("a message is not an object")
        yield from _turn(cast("Json", message))


def _turn(message: Json) -> Iterable[Json]:
    content = message.get("content")
    if isinstance(content, str):
        yield {"role": message.get("role"), "content": content}
        return
    blocks = _blocks(content)
    for block in blocks:
        if block.get("type") == "tool_result":
            said = block.get("content")
            yield {
                "role": "tool",
                "tool_call_id": block.get("tool_use_id"),
                "content": "" if said is None else _content(said),
            }
    calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
    rest = [_part(b) for b in blocks if b.get("type") not in _APART]
    if rest or calls or not blocks:
        turn: Json = {"role": message.get("role"), "content": rest or None}
        yield turn | ({"tool_calls": calls} if calls else {})


_APART = (*_THOUGHTS, "tool_use", "tool_result")


def _content(value: Any) -> str | list[Json]:
    return value if isinstance(value, str) else [_part(block) for block in _blocks(value)]


def _blocks(value: Any) -> list[Json]:
    if not isinstance(value, list):
        raise ValueError("a `content` is neither text nor a list of blocks")
    for block in cast("list[Any]", value):
        if not isinstance(block, dict):
            raise ValueError("a block of a `content` is not an object")
    return cast("list[Json]", value)


def _part(block: Json) -> Json:
    return {name: value for name, value in block.items() if name not in ("cache_control",)}


def _call(block: Json) -> Json:
    arguments = _encode(block.get("input") or {}).decode()
    function = {"name": block.get("name"), "arguments": arguments}
    return {"id": block.get("id"), "type": "function", "function": function}


def _tools(value: Any) -> Json:
    if value is None:
        return {}
    return {"tools": [_tool(tool) for tool in _blocks(value)]}


def _tool(tool: Json) -> Json:
    if (tool.get("type") or "") not in _FUNCTION or "input_schema" not in tool:
        return tool
    function: Json = {"name": tool.get("name"), "parameters": tool["input_schema"]}
    function |= {name: tool[name] for name in ("description", "strict") if name in tool}
    return {"type": "function", "function": function}


def _tool_choice(value: Any) -> Json:
    if not isinstance(value, dict):
        return {} if value is None else {"tool_choice": value}
    choice = cast("Json", value)
    kind = choice.get("type")
    found: Json = {"tool_choice": _CHOICES.get(str(kind), choice)}
    if kind == "tool":
        found = {"tool_choice": {"type": "function", "function": {"name": choice.get("name")}}}
    if choice.get("disable_parallel_tool_use"):
        found["parallel_tool_calls"] = False
    return found


def _metadata(value: Any) -> Json:
    if not isinstance(value, dict):
        return {}
    rest = dict(cast("Json", value))
    user = rest.pop("user_id", None)
    return {"metadata": rest} | ({"user": user} if user is not None else {})


def _output(value: Any) -> Json:
    """Translate `output_config`: a JSON format, and whatever else stands beside it."""
    if not isinstance(value, dict):
        return {} if value is None else {"output_config": value}
    rest = dict(cast("Json", value))
    found = _format(rest.pop("format", None))
    rest = {name: one for name, one in rest.items() if one is not None}
    return found | ({"output_config": rest} if rest else {})


def _format(value: Any) -> Json:
    if value is None:
        return {}
    if isinstance(value, dict) and cast("Json", value).get("type") == "json_schema":
        schema = {"name": "answer", "schema": cast("Json", value).get("schema")}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    return {"response_format": value}


def _thinking(value: Any) -> Json:
    off = isinstance(value, dict) and cast("Json", value).get("type") == "disabled"
    return {} if off or value is None else {"thinking": value}


def _stop(value: Any) -> Json:
    return {"stop": value} if value else {}


_TRANSLATED: Mapping[str, Callable[[Any], Json]] = {
    "metadata": _metadata,
    "output_config": _output,
    "output_format": _format,
    "stop_sequences": _stop,
    "thinking": _thinking,
    "tool_choice": _tool_choice,
    "tools": _tools,
}
