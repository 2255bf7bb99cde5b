"""Core answers ⇄ OpenAI's responses: bodies and stream events.

Each event of a stream that ends well or badly carries the whole response, so a stream is read by
its last event alone.
"""

from collections.abc import Iterable
from typing import Any, cast

import msgspec
from msgspec import convert

from stepdown.core.calls import Answer, ToolCall, Usage
from stepdown.errors import InputError
from stepdown.wire.openai_answers import Stamp
from stepdown.wire.openai_tools import UNREADABLE
from stepdown.wire.told import known_usage

__all__ = [
    "FINAL",
    "last_response",
    "parse_response",
    "response_body",
    "response_error_event",
    "response_events",
    "response_usage",
]

Json = dict[str, Any]

FINAL = ("response.completed", "response.incomplete", "response.failed")
"""The types of the events that end a stream, with the whole response in them."""

_ECHOED: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""Fields of a request that its response repeats, with what they are when they are absent."""

_OPEN: Json = {"status": "in_progress", "incomplete_details": None}
_CUT_SHORT = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why a response is incomplete, by the finish reason."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def response_body(answer: Answer, stamp: Stamp, usage: Usage, sent: bytes) -> bytes:
    """Return the body of a response to the request whose body was `sent`; it is not stored."""
    return _encode(_response(answer, stamp, sent, _items(answer, stamp), usage))


def response_events(answer: Answer, stamp: Stamp, usage: Usage, sent: bytes) -> bytes:
    """Return the events of a whole stream that says `answer`."""
    items = _items(answer, stamp)
    opened = _response(answer, stamp, sent, [], None) | _OPEN
    events: list[Json] = [
        {"type": "response.created", "response": opened},
        {"type": "response.in_progress", "response": opened},
    ]
    for index, item in enumerate(items):
        events += _message_events(index, item) if "content" in item else _call_events(index, item)
    whole = _response(answer, stamp, sent, items, usage)
    events.append({"type": f"response.{whole['status']}", "response": whole})
    return b"".join(_event(event, number) for number, event in enumerate(events))


def response_error_event(message: str, code: str | None) -> bytes:
    """Return an error in a stream that has begun.

    Its `error` is what makes OpenAI's clients raise; an event of type error alone they pass on.
    """
    said: Json = {"code": code, "message": message, "param": None}
    error = said | {"type": "stepdown_error"}
    return _event({"type": "error", **said, "error": error}, 0)


def parse_response(body: bytes | Json) -> tuple[Answer, Usage | None, str]:
    """Read a response: its answer, its usage, and the model that gave it.

    Raises:
        InputError: it is not one.
    """
    try:
        sent = _decode(body) if isinstance(body, bytes) else body
        items = cast("list[Json]", sent["output"])
        parts = [p for item in items if item["type"] == "message" for p in item["content"]]
        texts = [part["text"] for part in parts if part["type"] == "output_text"]
        refusals = [part["refusal"] for part in parts if part["type"] == "refusal"]
        calls = tuple(_call(item) for item in items if item["type"] == "function_call")
        answer = Answer(
            "".join(texts) if texts else None,
            calls,
            "".join(refusals) if refusals else None,
            _finish(sent, calls),
        )
        return answer, response_usage(sent.get("usage")), convert(sent.get("model") or "", str)
    except (*UNREADABLE, KeyError, TypeError, AttributeError) as problem:
        raise InputError(
            f"This is not a response ({type(problem).__name__}: {problem}); a JSON object with "
            "`output` is needed."
        ) from problem


def last_response(frames: Iterable[bytes]) -> tuple[Json | None, Any]:
    """Return the response in a stream's final event, or None, and the error in the stream."""
    response: Json | None = None
    error: Any = None
    for data in frames:
        if not any(kind.encode() in data for kind in (*FINAL, '"error"')):
            continue
        try:
            event = _decode(data)
        except UNREADABLE:
            continue
        if event.get("type") == "error":
            error = event
        elif event.get("type") in FINAL:
            sent = event.get("response")
            response = cast("Json", sent) if isinstance(sent, dict) else {}
            error = error or response.get("error")
    return response or None, error


def _call(item: Json) -> ToolCall:
    named = {name: item[name] for name in ("name", "arguments")}
    return convert({**named, "id": item.get("call_id") or ""}, ToolCall)


def _finish(sent: Json, calls: tuple[ToolCall, ...]) -> str:
    if sent.get("status") == "incomplete":
        details: Json = sent.get("incomplete_details") or {}
        return "content_filter" if details.get("reason") == "content_filter" else "length"
    return "tool_calls" if calls else "stop"


def _items(answer: Answer, stamp: Stamp) -> list[Json]:
    stem = stamp.id.rsplit("_", 1)[-1]
    items: list[Json] = []
    ended = "incomplete" if answer.finish_reason in _CUT_SHORT else "completed"
    text = answer.text if answer.text is not None else answer.refusal
    if text or not answer.tool_calls:
        part: Json = {"type": "output_text", "text": text or "", "annotations": [], "logprobs": []}
        if answer.text is None and answer.refusal is not None:
            part = {"type": "refusal", "refusal": answer.refusal}
        items.append(
            {
                "id": f"msg_{stem}",
                "type": "message",
                "status": "completed" if answer.tool_calls else ended,
                "role": "assistant",
                "content": [part],
            }
        )
    for index, call in enumerate(answer.tool_calls):
        last = index == len(answer.tool_calls) - 1
        items.append(
            {
                "id": f"fc_{stem}_{index}",
                "type": "function_call",
                "status": ended if last else "completed",
                "call_id": call.id or f"call_{stem}_{index}",
                "name": call.name,
                "arguments": call.arguments,
            }
        )
    return items


def _response(
    answer: Answer, stamp: Stamp, sent: bytes, items: list[Json], usage: Usage | None
) -> Json:
    asked, cut = _decode(sent), _CUT_SHORT.get(answer.finish_reason or "")
    repeated = {
        name: default if asked.get(name) is None else asked[name]
        for name, default in _ECHOED.items()
    }
    return {
        "id": stamp.id,
        "object": "response",
        "created_at": stamp.created,
        "status": "incomplete" if cut else "completed",
        "background": False,
        "error": None,
        "incomplete_details": {"reason": cut} if cut else None,
        "model": stamp.model,
        "output": items,
        "previous_response_id": None,
        "store": False,
        "usage": None if usage is None else _counts(usage),
        **repeated,
    }


def _message_events(index: int, item: Json) -> list[Json]:
    (part,) = item["content"]
    said = "refusal" if part["type"] == "refusal" else "text"
    name = "response.refusal" if said == "refusal" else "response.output_text"
    at: Json = {"item_id": item["id"], "output_index": index, "content_index": 0}
    more: Json = {"logprobs": []} if said == "text" else {}
    begun: Json = {**item, "status": "in_progress", "content": []}
    opened: Json = {"output_index": index, "item": begun}
    return [
        {"type": "response.output_item.added", **opened},
        {"type": "response.content_part.added", **at, "part": part | {said: ""}},
        {"type": f"{name}.delta", **at, "delta": part[said], **more},
        {"type": f"{name}.done", **at, said: part[said], **more},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _call_events(index: int, item: Json) -> list[Json]:
    at = {"item_id": item["id"], "output_index": index}
    opened = item | {"status": "in_progress", "arguments": ""}
    named = {"name": item["name"], "arguments": item["arguments"]}
    name = "response.function_call_arguments"
    return [
        {"type": "response.output_item.added", "output_index": index, "item": opened},
        {"type": f"{name}.delta", **at, "delta": item["arguments"]},
        {"type": f"{name}.done", **at, **named},
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


def _event(event: Json, number: int) -> bytes:
    data = _encode(event | {"sequence_number": number})
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), data)


def _counts(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_writes + usage.cache_writes_1h,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }


def response_usage(sent: Any) -> Usage | None:
    """Return the tokens that a `usage` tells; nonsense is as good as nothing."""
    if not isinstance(sent, dict):
        return None
    counts = cast("Json", sent)
    parts: Any = counts.get("input_tokens_details")
    details: Json = cast("Json", parts) if isinstance(parts, dict) else {}
    cached, written = (details.get(name) or 0 for name in ("cached_tokens", "cache_write_tokens"))
    return known_usage(counts.get("input_tokens"), counts.get("output_tokens"), cached, written)
