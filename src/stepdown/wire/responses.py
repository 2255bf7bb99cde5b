"""OpenAI's responses → the chat-completions body that asks the same.

Stateless: what refers to a stored response (`previous_response_id`, `conversation`), and whatever
else has no counterpart, keeps its name, so that a student's contract leaves it to the teacher.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import msgspec

from stepdown.errors import InputError
from stepdown.wire.openai_tools import UNREADABLE, check_nesting

__all__ = ["STORED", "chat_of_responses"]

Json = dict[str, Any]

STORED = ("conversation", "previous_response_id", "prompt")
"""Fields that name what is kept at the provider; with one of them `input` may be left out."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def chat_of_responses(body: bytes) -> bytes:
    """Return the chat-completions body for the body of a responses request.

    Reasoning of earlier turns is left out: it asks for nothing.

    Raises:
        InputError: it is not such a request.
    """
    try:
        sent = _decode(body)
        check_nesting(body, sent)
        return _encode(_chat(sent))
    except UNREADABLE as problem:
        raise InputError(
            f"This is not a responses request: {problem}; send a JSON object with `model` and "
            "`input`."
        ) from problem


def _chat(sent: Json) -> Json:
    chat: Json = {"messages": list(_messages(sent))}
    for name, value in sent.items():
        if name in _TRANSLATED:
            chat |= _TRANSLATED[name](value)
        elif name not in ("input", "instructions"):
            chat[name] = value
    return chat


def _messages(sent: Json) -> Iterable[Json]:
    if sent.get("instructions"):
        yield {"role": "system", "content": sent["instructions"]}
    given = _input(sent)
    if isinstance(given, str):
        yield {"role": "user", "content": given}
        return
    if not isinstance(given, list) or not given:
        raise ValueError("its `input` is neither text nor a list of items")
    calls: list[Json] = []
    for item in cast("list[Any]", given):
        if not isinstance(item, dict):
            raise ValueError("an item of its `input` is not an object")
        turn = cast("Json", item)
        kind = turn.get("type", "message")
        if kind == "function_call":
            calls.append(_call(turn))
            continue
        if calls:
            yield {"role": "assistant", "content": None, "tool_calls": calls}
            calls = []
        if kind != "reasoning":
            yield _turn(kind, turn)
    if calls:
        yield {"role": "assistant", "content": None, "tool_calls": calls}


def _input(sent: Json) -> Any:
    given = sent.get("input")
    if not given and any(sent.get(name) for name in STORED):
        # What is asked is kept at the provider: no student sees it, so none may answer.
        return [{"type": "stored_input"}]
    return given


def _turn(kind: Any, item: Json) -> Json:
    if kind == "message":
        return {"role": item.get("role"), "content": item.get("content")}
    if kind == "function_call_output":
        said = {"tool_call_id": item.get("call_id"), "content": item.get("output")}
        return {"role": "tool", **said}
    # No student reads it: it stays visible as a part of its own kind.
    return {"role": "user", "content": [{"type": str(kind)}]}


def _call(item: Json) -> Json:
    function = {"name": item.get("name"), "arguments": item.get("arguments")}
    return {"id": item.get("call_id"), "type": "function", "function": function}


def _tools(value: Any) -> Json:
    return {"tools": value} if value else {}


def _tool_choice(value: Any) -> Json:
    if isinstance(value, dict) and cast("Json", value).get("type") == "function":
        function = {"name": cast("Json", value).get("name")}
        return {"tool_choice": {"type": "function", "function": function}}
    return {} if value is None else {"tool_choice": value}


def _text(value: Any) -> Json:
    """Translate `text`: the format of the answer, and whatever else stands beside it."""
    if not isinstance(value, dict):
        return {} if value is None else {"text": value}
    rest = {name: one for name, one in cast("Json", value).items() if one is not None}
    wanted = rest.pop("format", None)
    found: Json = {"text": rest} if rest else {}
    if isinstance(wanted, dict) and cast("Json", wanted).get("type") == "json_schema":
        schema = {name: one for name, one in cast("Json", wanted).items() if name != "type"}
        wanted = {"type": "json_schema", "json_schema": schema}
    return found if wanted is None else found | {"response_format": wanted}


def _reasoning(value: Any) -> Json:
    """Translate `reasoning`: an effort alone asks for no more than chat completions can."""
    if not isinstance(value, dict):
        return {} if value is None else {"reasoning": value}
    wanted = {name: one for name, one in cast("Json", value).items() if one is not None}
    if set(wanted) <= {"effort"}:
        return {"reasoning_effort": wanted["effort"]} if wanted else {}
    return {"reasoning": wanted}


def _unless(*same: Any) -> Callable[[str], Callable[[Any], Json]]:
    """Leave a field out where it has one of these values: they are what it is without it."""
    return lambda name: lambda value: {} if value in same else {name: value}


_TRANSLATED: Mapping[str, Callable[[Any], Json]] = {
    "background": _unless(None, False)("background"),
    "include": _unless(None, [])("include"),
    "max_output_tokens": lambda value: {} if value is None else {"max_completion_tokens": value},
    "reasoning": _reasoning,
    "text": _text,
    "tool_choice": _tool_choice,
    "tools": _tools,
    "truncation": _unless(None, "disabled")("truncation"),
}
