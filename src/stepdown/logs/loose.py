"""Inputs and outputs in whatever shape an application logged them → bodies of a request, an answer.

An input may be messages, a whole request, a prompt or the application's own fields; an output an
answer's body, a message, text, or what the application made of it.
"""

from typing import Any, cast

import msgspec

from stepdown.wire.exchanges import parsed

__all__ = ["answer_body", "request_body"]

Json = dict[str, Any]

_ITEMS = frozenset(("function_call", "function_call_output", "reasoning"))
"""Kinds of items of a response, and of its input, that no other dialect has."""

_ROLES = {"human": "user", "ai": "assistant", "model": "assistant"}

_encode = msgspec.json.Encoder().encode


def request_body(given: Any, told: Json, system: str = "") -> bytes | None:
    """Return the JSON of a request for an input; None where there is none.

    `told` are request fields that stand beside the input: those inside it win. `system` is an
    instruction that stands beside it.
    """
    body = _asked(parsed(given))
    if body is None:
        return None
    if "messages" not in body and system:
        body.setdefault("instructions", system)
    if isinstance(body.get("messages"), list):
        turns = [_turn(turn) for turn in cast("list[Any]", body["messages"])]
        body["messages"] = [*_instruction(system), *turns]
    return _encode({**told, **body})


def answer_body(given: Any) -> bytes | None:
    """Return the JSON of an answer for an output; None where there is none."""
    value = parsed(given)
    if isinstance(value, list) and any(map(_is_output, cast("list[Any]", value))):
        return _encode({"output": value})
    if isinstance(value, list) and len(cast("list[Any]", value)) == 1:
        value = cast("list[Any]", value)[0]
    if value is None or value == "":
        return None
    body: Json = cast("Json", value) if isinstance(value, dict) else {"content": value}
    if "choices" in body or "output" in body or body.get("type") == "message":
        return _encode(body)
    if "role" in body or "content" in body or "tool_calls" in body:
        content: Any = body.get("content")
        if content is not None and not isinstance(content, str | list):
            content = _encode(content).decode()
        return _encode({**body, "content": content, "role": "assistant"})
    said: Any = body.get("completion") or body.get("text")
    # Else it is what the application parsed the answer into.
    text = said if isinstance(said, str) else _encode(body).decode()
    return _encode({"role": "assistant", "content": text})


def _asked(given: Any) -> Json | None:
    if isinstance(given, dict):
        asked = cast("Json", given)
        if "messages" in asked or "input" in asked:
            return dict(asked)
        if isinstance(asked.get("prompt"), str):
            return _said_by_user(asked["prompt"])
        if "role" in asked:
            return {"messages": [asked]}
        # An application's own fields: one text that a template can be found in.
        return _said_by_user(_encode(asked).decode()) if asked else None
    if isinstance(given, list):
        listed = cast("list[Any]", given)
        items = any(_kind(one) in _ITEMS for one in listed)
        return {"input" if items else "messages": listed} if listed else None
    return _said_by_user(given) if isinstance(given, str) and given else None


def _is_output(item: Any) -> bool:
    """Say whether an item is one of a response's output; a message's parts have a type too."""
    return _kind(item) in _ITEMS or (_kind(item) == "message" and "role" in item)


def _kind(item: Any) -> str:
    return str(cast("Json", item).get("type")) if isinstance(item, dict) else ""


def _said_by_user(text: str) -> Json:
    return {"messages": [{"role": "user", "content": text}]}


def _instruction(system: str) -> list[Json]:
    return [{"role": "system", "content": system}] if system else []


def _turn(turn: Any) -> Any:
    """Return a message whose role is one of chat completions' own."""
    if not isinstance(turn, dict):
        return turn
    message = cast("Json", turn)
    role = message.get("role") or message.get("type")
    return {**message, "role": _ROLES.get(role, role)} if isinstance(role, str) else message
