"""OpenTelemetry's GenAI conventions → the chat request and answer that a span tells of.

Newest names first (`gen_ai.input.messages` and its kin, as values or as strings of JSON), then
those of earlier versions: a message an event, and the numbered attributes that OpenLLMetry writes
(`gen_ai.prompt.0.role`). Attributes are a span's, decoded: dotted name → value.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec

from stepdown.wire.exchanges import parsed
from stepdown.wire.numbered import numbered

__all__ = ["PARAMETERS", "answer_message", "finish_reason", "is_event", "request_body"]

Json = dict[str, Any]
Events = Sequence[tuple[str, Mapping[str, Any]]]
"""A span's events: name and attributes."""

PARAMETERS = {
    "gen_ai.request.temperature": "temperature",
    "gen_ai.request.top_p": "top_p",
    "gen_ai.request.max_tokens": "max_tokens",
    "gen_ai.request.seed": "seed",
    "gen_ai.request.choice.count": "n",
    "gen_ai.request.stop_sequences": "stop",
    "gen_ai.request.frequency_penalty": "frequency_penalty",
    "gen_ai.request.presence_penalty": "presence_penalty",
    "gen_ai.request.stream": "stream",
}
"""Attributes that are fields of a request's body."""
_MESSAGE_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE = "gen_ai.choice"
_DETAILS = "gen_ai.client.inference.operation.details"
_CONTENT = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions")
_SPARE = frozenset(("reasoning", "thinking"))
"""Parts that ask for nothing."""


class _Text(msgspec.Struct, gc=False, tag="text", tag_field="type"):
    content: str


class _Turn(msgspec.Struct, gc=False):
    role: str
    parts: list[_Text]


_encode = msgspec.json.Encoder().encode
_plain_turns = msgspec.json.Decoder(list[_Turn]).decode


def request_body(attributes: Mapping[str, Any], events: Events = ()) -> Json | None:
    """Return the body of the chat request that the span is of, or None without content."""
    attributes = _with_details(attributes, events)
    messages = [
        *_instructions(attributes.get("gen_ai.system_instructions")),
        *_messages(attributes.get("gen_ai.input.messages")),
    ]
    messages = messages or list(_from_events(events)) or _legacy(attributes, "gen_ai.prompt")
    if not messages:
        return None
    body: Json = {"model": attributes.get("gen_ai.request.model") or "", "messages": messages}
    for name, field in PARAMETERS.items():
        if (value := attributes.get(name)) is not None:
            body[field] = value
    tools = _tools(parsed(attributes.get("gen_ai.tool.definitions")))
    tools = tools or _legacy_tools(attributes)
    if tools:
        body["tools"] = tools
    wanted = parsed(attributes.get("gen_ai.openai.request.response_format"))
    if wanted is None and attributes.get("gen_ai.output.type") == "json":
        wanted = "json_object"
    if wanted is not None:
        body["response_format"] = {"type": wanted} if isinstance(wanted, str) else wanted
    return body


def answer_message(attributes: Mapping[str, Any], events: Events = ()) -> Json | None:
    """Return the assistant message that the span is answered by, or None without content."""
    attributes = _with_details(attributes, events)
    found = _messages(attributes.get("gen_ai.output.messages"))
    if not found:
        choices = [told for name, told in events if name == _CHOICE]
        found = [_choice(choice) for choice in choices[:1]]
    found = found or _legacy(attributes, "gen_ai.completion")
    return {**found[0], "role": "assistant"} if found else None


def is_event(name: str) -> bool:
    """Say whether an event of that name tells of a model call's content."""
    return name in _MESSAGE_EVENTS or name in (_CHOICE, _DETAILS)


def finish_reason(attributes: Mapping[str, Any]) -> str | None:
    """Return why the first answer ended."""
    reasons = parsed(attributes.get("gen_ai.response.finish_reasons"))
    if isinstance(reasons, list) and reasons:
        first = cast("list[Any]", reasons)[0]
        return first if isinstance(first, str) else None
    legacy = attributes.get("gen_ai.completion.0.finish_reason")
    return legacy if isinstance(legacy, str) else None


def _with_details(attributes: Mapping[str, Any], events: Events) -> Mapping[str, Any]:
    """Return the attributes with the content that stands in an event of its own."""
    for name, told in events:
        if name == _DETAILS:
            return {**told, **attributes}
        if any(key in told for key in _CONTENT):
            return {**told, **attributes}
    return attributes


def _instructions(value: Any) -> list[Json]:
    given = parsed(value)
    if isinstance(given, list):
        texts = [_text(part) for part in cast("list[Any]", given)]
        given = "\n".join(text for text in texts if text)
    return [{"role": "system", "content": given}] if isinstance(given, str) and given else []


def _text(part: Any) -> str:
    if isinstance(part, str):
        return part
    content = cast("Json", part).get("content") if isinstance(part, dict) else None
    return content if isinstance(content, str) else ""


def _messages(value: Any) -> list[Json]:
    if isinstance(value, str):
        # Nearly all turns are one text: decoded as such they take a third of the time.
        try:
            plain = _plain_turns(value)
        except (ValueError, RecursionError):
            plain = ()
        if plain and all(len(turn.parts) == 1 for turn in plain):
            return [{"role": t.role or "user", "content": t.parts[0].content} for t in plain]
    given = parsed(value)
    turns: list[Json] = []
    for message in cast("list[Any]", given) if isinstance(given, list) else ():
        if isinstance(message, dict):
            turns += _turns(cast("Json", message))
    return turns


def _turns(message: Json) -> list[Json]:
    """Return a turn's chat messages; answers of tools are messages of their own."""
    parts = message.get("parts")
    if not isinstance(parts, list):
        return [message]
    turns: list[Json] = []
    content: list[Json] = []
    calls: list[Json] = []
    for part in cast("list[Any]", parts):
        if not isinstance(part, dict):
            raise ValueError("a part of a message is not an object")
        part = cast("Json", part)
        kind = str(part.get("type"))
        if kind == "text":
            content.append({"type": "text", "text": part.get("content") or ""})
        elif kind == "tool_call":
            calls.append(_call(part))
        elif kind == "tool_call_response":
            told = part.get("response", part.get("result"))
            turns.append({"role": "tool", "tool_call_id": part.get("id"), "content": _plain(told)})
        elif kind not in _SPARE:
            # A picture, a file, …: no student reads it, and the contract has to see that.
            content.append({"type": kind})
    if content or calls:
        turns.append(_message(message.get("role"), content, calls))
    return turns


def _message(role: Any, content: list[Json], calls: list[Json]) -> Json:
    turn: Json = {"role": role or "user"}
    single = len(content) == 1 and content[0]["type"] == "text"
    turn["content"] = content[0]["text"] if single else content or None
    if calls:
        turn["tool_calls"] = calls
    return turn


def _call(part: Json) -> Json:
    arguments = part.get("arguments")
    text = arguments if isinstance(arguments, str) else _encode(arguments or {}).decode()
    function = {"name": part.get("name") or "", "arguments": text}
    return {"id": part.get("id"), "type": "function", "function": function}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _encode(value).decode()


def _from_events(events: Events) -> Iterable[Json]:
    for name, told in events:
        role = _MESSAGE_EVENTS.get(name)
        if role is not None:
            yield _choice({**told, "role": told.get("role") or role})


def _choice(told: Mapping[str, Any]) -> Json:
    """Return the message in an event; some instrumentations write it as a string of JSON."""
    inner = parsed(told.get("message"))
    message = {**told, **cast("Json", inner)} if isinstance(inner, dict) else dict(told)
    turn: Json = {"role": message.get("role") or "assistant", "content": message.get("content")}
    calls = parsed(message.get("tool_calls"))
    if calls:
        turn["tool_calls"] = calls
    if message.get("id") and turn["role"] == "tool":
        turn["tool_call_id"] = message["id"]
    return turn


def _legacy(attributes: Mapping[str, Any], prefix: str) -> list[Json]:
    """Return the messages of numbered attributes, or of one that holds them all."""
    turns = [_legacy_turn(turn) for turn in numbered(attributes, prefix)]
    if turns:
        return turns
    whole = parsed(attributes.get(prefix))
    if isinstance(whole, list):
        return [cast("Json", turn) for turn in cast("list[Any]", whole) if isinstance(turn, dict)]
    return [{"role": "user", "content": whole}] if isinstance(whole, str) and whole else []


def _legacy_turn(turn: Json) -> Json:
    content = parsed(turn.get("content"))
    # Structured content comes as a string of JSON; a text that is JSON is a string all the same.
    message: Json = {
        "role": turn.get("role") or "user",
        "content": content if _is_parts(content) else turn.get("content"),
    }
    calls = [_call(call) for call in numbered(turn, "tool_calls")]
    if calls:
        message["tool_calls"] = calls
    if turn.get("tool_call_id"):
        message["tool_call_id"] = turn["tool_call_id"]
    return message


def _is_parts(content: Any) -> bool:
    parts = cast("list[Any]", content) if isinstance(content, list) else []
    return bool(parts) and all(isinstance(part, dict) and "type" in part for part in parts)


def _tools(given: Any) -> list[Json]:
    found: list[Json] = []
    for tool in cast("list[Any]", given) if isinstance(given, list) else ():
        value = parsed(tool)
        if not isinstance(value, dict):
            continue
        described = cast("Json", value)
        nested = "function" in described or described.get("type", "function") != "function"
        function = {name: v for name, v in described.items() if name != "type"}
        found.append(described if nested else {"type": "function", "function": function})
    return found


def _legacy_tools(attributes: Mapping[str, Any]) -> list[Json]:
    listed: list[Json] = []
    if "llm.request.functions.0.name" in attributes:
        listed = numbered(attributes, "llm.request.functions")
    return [
        {"type": "function", "function": {**tool, "parameters": parsed(tool.get("parameters"))}}
        for tool in listed
    ]
