"""Core answers → OpenAI JSON: chat.completion bodies, their SSE frames, and error bodies.

Token counts of a student's answer are estimates (a quarter of the characters, rounded up, never 0):
a student has no tokenizer of the teacher's, and clients divide by these numbers.
"""

from typing import Any

import msgspec

from stepdown.core.calls import Answer, Request, Usage
from stepdown.core.contracts import CHARS_PER_TOKEN, answer_tokens

__all__ = [
    "DONE",
    "Stamp",
    "completion_body",
    "completion_frames",
    "error_body",
    "error_frame",
    "estimated_usage",
    "usage_body",
]

DONE = b"data: [DONE]\n\n"
"""The frame that ends a stream that went well, and no other."""

_CALL_CHARS = 12  # frame of a tool or a message, in characters: about three tokens

_encoder = msgspec.json.Encoder()


class Stamp(msgspec.Struct, frozen=True):
    """What every body or frame of one answer repeats; `created` is in seconds since the epoch."""

    id: str
    created: int
    model: str


def estimated_usage(request: Request, answer: Answer) -> Usage:
    """Estimate the tokens of an exchange from its characters, those of tools and schema too."""
    chars = sum(
        len(_encoder.encode(part))
        for part in (request.tools.tools, request.output_format.schema)
        if part
    )
    for message in request.messages:
        chars += len(message.text) + _CALL_CHARS
        for call in message.tool_calls:
            chars += len(call.name) + len(call.arguments)
    return Usage(max(1, -(-chars // CHARS_PER_TOKEN)), answer_tokens(answer))


def completion_body(answer: Answer, stamp: Stamp, usage: Usage | None) -> bytes:
    """Return a chat.completion with one choice; without `usage` where it is unknown."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": _content(answer),
        "refusal": answer.refusal,
        "annotations": [],
    }
    if answer.tool_calls:
        message["tool_calls"] = _tool_calls(answer, stamp)
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish_reason(answer),
    }
    return _encoder.encode(
        {
            "id": stamp.id,
            "object": "chat.completion",
            "created": stamp.created,
            "model": stamp.model,
            "choices": [choice],
            **({} if usage is None else {"usage": usage_body(usage)}),
        }
    )


def completion_frames(answer: Answer, stamp: Stamp, usage: Usage | None) -> bytes:
    """Return the SSE frames of a stream that says `answer`, all but the closing `DONE`.

    `usage` is None when the caller did not ask for it; otherwise each chunk has `usage: null` and
    the last one, without choices, the counts.
    """
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": "", "refusal": None}, None)
    ]
    content = _content(answer)
    if content:
        deltas.append(({"content": content}, None))
    if answer.refusal:
        deltas.append(({"refusal": answer.refusal}, None))
    for index, call in enumerate(_tool_calls(answer, stamp)):
        deltas.append(({"tool_calls": [{"index": index, **call}]}, None))
    deltas.append(({}, _finish_reason(answer)))
    extra: dict[str, Any] = {} if usage is None else {"usage": None}
    frames = [
        _chunk(
            stamp,
            [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
            extra,
        )
        for delta, finish in deltas
    ]
    if usage is not None:
        frames.append(_chunk(stamp, [], {"usage": usage_body(usage)}))
    return b"".join(frames)


def error_body(message: str, code: str | None = None, param: str | None = None) -> bytes:
    """Return an error of our own in OpenAI's shape; the type is `stepdown_error`."""
    error = {"message": message, "type": "stepdown_error", "param": param, "code": code}
    return _encoder.encode({"error": error})


def error_frame(message: str, code: str | None = None) -> bytes:
    """Return an error as an SSE frame; clients raise on it, and no `DONE` may follow."""
    return b"data: " + error_body(message, code) + b"\n\n"


def _chunk(stamp: Stamp, choices: list[dict[str, Any]], extra: dict[str, Any]) -> bytes:
    body = {
        "id": stamp.id,
        "object": "chat.completion.chunk",
        "created": stamp.created,
        "model": stamp.model,
        "choices": choices,
        **extra,
    }
    return b"data: " + _encoder.encode(body) + b"\n\n"


def _content(answer: Answer) -> str | None:
    if answer.text is None and (answer.tool_calls or answer.refusal is not None):
        return None
    return answer.text or ""


def _finish_reason(answer: Answer) -> str:
    return answer.finish_reason or ("tool_calls" if answer.tool_calls else "stop")


def _tool_calls(answer: Answer, stamp: Stamp) -> list[dict[str, Any]]:
    stem = stamp.id.rsplit("-", 1)[-1]
    return [
        {
            "id": call.id or f"call_{stem}_{index}",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for index, call in enumerate(answer.tool_calls)
    ]


def usage_body(usage: Usage) -> dict[str, Any]:
    """Return the `usage` of a chat.completion.

    OpenAI's has no word for what is written to a cache for an hour; this is LiteLLM's.
    """
    hour = usage.cache_writes_1h
    lasting = {"ephemeral_5m_input_tokens": usage.cache_writes, "ephemeral_1h_input_tokens": hour}
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_writes + hour,
            **({"cache_creation_token_details": lasting} if hour else {}),
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
