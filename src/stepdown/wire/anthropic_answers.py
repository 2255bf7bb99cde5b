"""Core answers ⇄ Anthropic's messages: bodies, stream events and errors.

`message_events` gives the stream that says an answer; `message_of_events` adds a stream up again.
"""

from collections.abc import Iterable
from typing import Any, cast

import msgspec
from msgspec import convert

from stepdown.core.calls import Answer, ToolCall, Usage
from stepdown.errors import InputError
from stepdown.wire.openai_answers import Stamp
from stepdown.wire.openai_tools import UNREADABLE
from stepdown.wire.told import MOST_TOKENS, known_usage

__all__ = [
    "Summed",
    "message_body",
    "message_error",
    "message_events",
    "message_of_events",
    "message_usage",
    "parse_message",
]

Json = dict[str, Any]

_STOP_REASONS = {"tool_calls": "tool_use", "length": "max_tokens", "content_filter": "refusal"}
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Summed(msgspec.Struct, frozen=True):
    """What a stream of events adds up to.

    `message` is None where none began; `finished` says whether it came to its stop, `error` is the
    error that the upstream sent in the stream.
    """

    message: Json | None
    finished: bool
    error: Any = None


def message_body(answer: Answer, stamp: Stamp, usage: Usage) -> bytes:
    """Return the body of a message."""
    return _encode(_message(answer, stamp, usage, _blocks(answer, stamp)))


def message_events(answer: Answer, stamp: Stamp, usage: Usage) -> bytes:
    """Return the events of a whole stream that says `answer`."""
    opened = _message(answer, stamp, msgspec.structs.replace(usage, output_tokens=1), [])
    stopped = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    opened["stop_reason"] = None
    events: list[Json] = [{"type": "message_start", "message": opened}]
    for index, block in enumerate(_blocks(answer, stamp)):
        events += _block_events(index, block)
    counts = {"output_tokens": usage.output_tokens}
    events.append({"type": "message_delta", "delta": stopped, "usage": counts})
    events.append({"type": "message_stop"})
    return b"".join(map(_event, events))


def message_error(status: int, message: str, request_id: str = "") -> bytes:
    """Return an error of our own as Anthropic writes them."""
    error = {"type": _ERROR_TYPES.get(status, "api_error"), "message": message}
    return _encode({"type": "error", "error": error, "request_id": request_id or None})


def parse_message(body: bytes | Json) -> tuple[Answer, Usage | None, str]:
    """Read a message: its answer, its usage, and the model that gave it.

    Raises:
        InputError: it is not one.
    """
    try:
        sent = _decode(body) if isinstance(body, bytes) else body
        content = sent["content"]
        texts = [b["text"] for b in content if b["type"] == "text"]
        calls = [_call(block) for block in content if block["type"] == "tool_use"]
        reason = str(sent.get("stop_reason") or "end_turn")
        finish = _FINISH_REASONS.get(reason, reason)
        answer = Answer("".join(texts) if texts else None, tuple(calls), None, finish)
        return answer, message_usage(sent.get("usage")), convert(sent.get("model") or "", str)
    except (*UNREADABLE, KeyError, TypeError, AttributeError) as problem:
        raise InputError(
            f"This is not a message ({type(problem).__name__}: {problem}); a JSON object with "
            "`content` is needed."
        ) from problem


def message_of_events(frames: Iterable[bytes]) -> Summed:
    """Add up the data of a stream's events as the official client does."""
    message: Json | None = None
    finished, error = False, None
    arguments: dict[int, str] = {}
    for data in frames:
        event = _object(data)
        kind = event.get("type")
        if kind == "message_start":
            message = _fields(event.get("message")) | {"content": []}
        elif kind == "error":
            error = event.get("error") or event
        elif message is None:
            continue
        elif kind == "content_block_start":
            message["content"].append(_fields(event.get("content_block")))
        elif kind == "content_block_delta":
            _add_delta(message["content"], event, arguments)
        elif kind == "message_delta":
            # Only what is told counts: the last event need not repeat what the first has said.
            told = {name: n for name, n in _fields(event.get("usage")).items() if n is not None}
            usage = _fields(message.get("usage")) | told
            message = message | _fields(event.get("delta")) | {"content": message["content"]}
            message["usage"] = usage
        elif kind == "message_stop":
            finished = True
    if message is not None:
        _close(message["content"], arguments)
    # An empty answer has a model, at least: what tells nothing at all is none.
    return Summed(None if message == {"content": []} else message, finished, error)


def _add_delta(content: list[Json], event: Json, arguments: dict[int, str]) -> None:
    index: Any = event.get("index")
    delta = _fields(event.get("delta"))
    if not isinstance(index, int) or not 0 <= index < len(content):
        return
    if isinstance(delta.get("text"), str):
        content[index]["text"] = str(content[index].get("text") or "") + delta["text"]
    if isinstance(delta.get("partial_json"), str):
        arguments[index] = arguments.get(index, "") + delta["partial_json"]


def _close(content: list[Json], arguments: dict[int, str]) -> None:
    for index, text in arguments.items():
        if text:
            content[index]["input"] = _object(text.encode()) if text != "{}" else {}


def _object(data: bytes) -> Json:
    try:
        return _fields(msgspec.json.decode(data))
    except (ValueError, RecursionError):
        return {}


def _fields(value: Any) -> Json:
    return dict(cast("Json", value)) if isinstance(value, dict) else {}


def _message(answer: Answer, stamp: Stamp, usage: Usage, content: list[Json]) -> Json:
    written = usage.cache_writes + usage.cache_writes_1h
    return {
        "id": stamp.id,
        "type": "message",
        "role": "assistant",
        "model": stamp.model,
        "content": content,
        "stop_reason": _stop_reason(answer),
        "stop_sequence": None,
        "usage": {
            "input_tokens": usage.input_tokens - usage.cached_tokens - written,
            "cache_creation_input_tokens": written,
            "cache_creation": {
                "ephemeral_5m_input_tokens": usage.cache_writes,
                "ephemeral_1h_input_tokens": usage.cache_writes_1h,
            },
            "cache_read_input_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens,
        },
    }


def _stop_reason(answer: Answer) -> str:
    # A call that was cut short is one that the client must not make.
    otherwise = "tool_use" if answer.tool_calls else "end_turn"
    return _STOP_REASONS.get(answer.finish_reason or "", otherwise)


def _blocks(answer: Answer, stamp: Stamp) -> list[Json]:
    text = answer.text if answer.text is not None else answer.refusal
    blocks: list[Json] = [{"type": "text", "text": text}] if text else []
    stem = stamp.id.rsplit("_", 1)[-1]
    for index, call in enumerate(answer.tool_calls):
        id = call.id or f"toolu_{stem}_{index}"
        value = _object(call.arguments.encode())
        blocks.append({"type": "tool_use", "id": id, "name": call.name, "input": value})
    return blocks


def _block_events(index: int, block: Json) -> list[Json]:
    if block["type"] == "text":
        empty: Json = {**block, "text": ""}
        delta = {"type": "text_delta", "text": block["text"]}
    else:
        empty = {**block, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": _encode(block["input"]).decode()}
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        {"type": "content_block_delta", "index": index, "delta": delta},
        {"type": "content_block_stop", "index": index},
    ]


def _event(event: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), _encode(event))


def _call(block: Json) -> ToolCall:
    arguments = _encode(block.get("input") or {}).decode()
    named = {"name": block["name"], "id": block.get("id") or "", "arguments": arguments}
    return convert(named, ToolCall)


def message_usage(sent: Any) -> Usage | None:
    """Return the tokens that a `usage` tells; nonsense is as good as nothing."""
    if not isinstance(sent, dict):
        return None
    counts = cast("Json", sent)
    lasting = _fields(counts.get("cache_creation"))
    fresh: Any = counts.get("input_tokens")
    cached: Any = counts.get("cache_read_input_tokens") or 0
    written: Any = counts.get("cache_creation_input_tokens") or 0
    short: Any = lasting.get("ephemeral_5m_input_tokens") or 0
    hour: Any = lasting.get("ephemeral_1h_input_tokens") or 0
    told = (fresh, cached, written, short, hour)
    if not all(type(one) is int and 0 <= one <= MOST_TOKENS for one in told):
        return None
    written = max(written, short + hour)
    return known_usage(fresh + cached + written, counts.get("output_tokens"), cached, written, hour)
