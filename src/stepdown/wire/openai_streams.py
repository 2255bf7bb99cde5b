"""OpenAI SSE chunks → the chat.completion that they add up to."""

from collections.abc import Iterable
from typing import Any, cast

import msgspec

__all__ = ["Assembled", "assemble"]

_HEAD = ("id", "created", "model", "service_tier", "system_fingerprint")
_JOINED = ("content", "refusal", "reasoning_content", "reasoning")

Json = dict[str, Any]


class Assembled(msgspec.Struct, frozen=True):
    """What a stream said.

    `completion` is None when no choice was in it. `finished` says whether every choice came to its
    finish_reason; `error` is the error that the upstream sent in the stream, `unreadable` counts
    frames that were not JSON objects.
    """

    completion: Json | None
    finished: bool
    error: Any = None
    unreadable: int = 0


def assemble(frames: Iterable[bytes]) -> Assembled:
    """Add up the data of a stream's frames (`[DONE]` is skipped) as the official client does."""
    head: Json = {}
    choices: dict[int, Json] = {}
    error: Any = None
    unreadable = 0
    for data in frames:
        if data == b"[DONE]":
            continue
        chunk = _object(data)
        if chunk is None:
            unreadable += 1
            continue
        error = chunk.get("error", error)
        head.update({key: chunk[key] for key in _HEAD if chunk.get(key) is not None})
        if chunk.get("usage") is not None:
            head["usage"] = chunk["usage"]
        for part in _objects(chunk.get("choices")):
            _add(choices, part)
    if not choices:
        return Assembled(None, False, error, unreadable)
    ordered = [choices[index] for index in sorted(choices)]
    finished = all(choice["finish_reason"] is not None for choice in ordered)
    completion = {"object": "chat.completion", **head, "choices": ordered}
    return Assembled(completion, finished, error, unreadable)


def _object(data: bytes) -> Json | None:
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
    return cast("Json", value) if isinstance(value, dict) else None


def _objects(value: Any) -> list[Json]:
    if not isinstance(value, list):
        return []
    return [cast("Json", item) for item in cast("list[Any]", value) if isinstance(item, dict)]


def _add(choices: dict[int, Json], part: Json) -> None:
    index = part.get("index", 0)
    if not isinstance(index, int):
        return
    message: Json = {"role": "assistant", "content": None}
    choice = choices.setdefault(index, {"index": index, "message": message, "finish_reason": None})
    if part.get("finish_reason") is not None:
        choice["finish_reason"] = part["finish_reason"]
    delta = part.get("delta")
    if isinstance(delta, dict):
        _add_delta(choice["message"], cast("Json", delta))


def _add_delta(message: Json, delta: Json) -> None:
    for key in _JOINED:
        if isinstance(delta.get(key), str):
            message[key] = (message.get(key) or "") + delta[key]
    calls: list[Json] = message.get("tool_calls", [])
    for part in _objects(delta.get("tool_calls")):
        _add_call(calls, part)
    if calls:
        message["tool_calls"] = calls
        message["content"] = message["content"] or None


def _add_call(calls: list[Json], part: Json) -> None:
    index = part.get("index", 0)
    if not isinstance(index, int) or not 0 <= index <= len(calls):
        return
    if index == len(calls):
        empty: Json = {"name": "", "arguments": ""}
        calls.append({"id": "", "type": "function", "function": empty})
    call = calls[index]
    call["id"] = call["id"] or part.get("id") or ""
    function = part.get("function")
    if isinstance(function, dict):
        sent = cast("Json", function)
        call["function"]["name"] = call["function"]["name"] or sent.get("name") or ""
        call["function"]["arguments"] += str(sent.get("arguments") or "")
