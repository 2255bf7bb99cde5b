"""A logged request and its answer, in whichever dialect they were sent → core values.

Logs of gateways and of tracing tools hold provider JSON as it came: chat completions, Anthropic's
messages, OpenAI's responses; encoded once more as a string, or as the raw text of a stream. The
answer tells the dialect, since requests look alike.
"""

from collections.abc import Iterator
from typing import Any, cast

import msgspec

from stepdown.core.calls import Answer, Request, Usage
from stepdown.errors import InputError
from stepdown.wire.anthropic import chat_of_messages
from stepdown.wire.anthropic_answers import message_of_events, message_usage, parse_message
from stepdown.wire.openai import (
    ChatBody,
    ChatCompletion,
    answer_from,
    answer_of,
    parse_request,
    request_from,
)
from stepdown.wire.openai_streams import assemble
from stepdown.wire.responses import chat_of_responses
from stepdown.wire.responses_answers import last_response, parse_response, response_usage
from stepdown.wire.told import usage_told

__all__ = ["Said", "parsed", "read_answer", "read_request", "read_usage", "unwrapped"]

Json = dict[str, Any]

_TWICE = 2
"""How often a value may stand as a string of JSON: exports of exports do it twice."""
_MESSAGES_ALONE = ("system", "anthropic_version")
"""Fields that only Anthropic's API takes."""
_UNREADABLE = (ValueError, RecursionError)

_text = msgspec.json.Decoder(str).decode
_body = msgspec.json.Decoder(ChatBody).decode
_object = msgspec.json.Decoder(Json).decode
_completion = msgspec.json.Decoder(ChatCompletion).decode
_encode = msgspec.json.Encoder().encode


class Said(msgspec.Struct, frozen=True):
    """An answer with what its own JSON says of it; `usage` is None and `model` "" when unknown.

    `message` says that it is one of Anthropic's messages.
    """

    answer: Answer
    usage: Usage | None = None
    model: str = ""
    created: Any = None
    message: bool = False


def unwrapped(raw: bytes | msgspec.Raw) -> bytes:
    """Return the JSON that a string of JSON holds (an object or a list), else `raw` as it is."""
    data = bytes(raw).strip()
    if data[:1] == b"{":
        return data
    for _ in range(_TWICE):
        if not data.startswith(b'"'):
            break
        try:
            text = _text(data).lstrip()
        except _UNREADABLE:
            break
        if text[:1] not in ("{", "[", '"'):
            break
        data = text.encode()
    return data


def parsed(value: Any) -> Any:
    """Return what a string of JSON holds, an object or a list; any other value as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except _UNREADABLE:
            return value
    return value


def read_request(raw: bytes | msgspec.Raw, said: Said | None = None) -> Request:
    """Read the JSON of a request body; its answer, where there is one, tells the dialect.

    Raises:
        InputError: it is no request of a dialect that is known.
    """
    data = unwrapped(raw)
    try:
        body = _body(data)
    except _UNREADABLE as problem:
        raise InputError(f"This is no request: {problem}; a JSON object is needed.") from problem
    if (said is not None and said.message) or _asks_for_message(body):
        return parse_request(chat_of_messages(data))
    if "messages" not in body and "input" in body:
        return parse_request(chat_of_responses(data))
    return request_from(body)


def read_answer(raw: bytes | msgspec.Raw) -> Said:
    """Read the JSON of an answer body, an assistant message alone, or the text of a stream.

    Raises:
        InputError: it is no answer of a dialect that is known, or it is an error.
    """
    try:
        return _said(unwrapped(raw))
    except _UNREADABLE as problem:
        raise InputError(f"This is no answer: {problem}; a JSON object is needed.") from problem


def read_usage(sent: Any) -> Usage | None:
    """Return the tokens that the `usage` of any dialect's answer tells, None where it is none."""
    if not isinstance(sent, dict):
        return None
    counts = cast("Json", sent)
    if "prompt_tokens" in counts:
        return usage_told(_encode(counts))
    written = any(name.startswith("cache_") for name in counts)
    return message_usage(counts) if written else response_usage(counts)


def _said(data: bytes) -> Said:
    if data.startswith(b'"'):
        return _of(_streamed(_text(data)))
    try:
        completion = _completion(data)
    except _UNREADABLE:
        completion = None
    if completion is not None and completion.choices:
        return Said(*answer_from(completion), completion.created)
    return _of(_object(data))


def _of(body: Json) -> Said:
    if body.get("type") == "message" and "content" in body:
        return Said(*parse_message(body), message=True)
    if isinstance(body.get("output"), list):
        return Said(*parse_response(body), body.get("created_at"))
    if body.get("role") == "assistant":
        return Said(answer_of(_encode(body)))
    return Said(*answer_from(_completion(_encode(body))), body.get("created"))


def _asks_for_message(body: ChatBody) -> bool:
    if any(name in body for name in _MESSAGES_ALONE):
        return True
    tools = body.get("tools")
    return tools is not None and b'"input_schema"' in bytes(tools) and _input_schema(tools)


def _input_schema(tools: msgspec.Raw) -> bool:
    listed = msgspec.json.decode(tools)
    first: Any = cast("list[Any]", listed)[0] if isinstance(listed, list) and listed else None
    return isinstance(first, dict) and "input_schema" in first


def _streamed(text: str) -> Json:
    """Return the answer that the frames of a stream add up to."""
    frames = list(_frames(text))
    if not frames:
        raise InputError("This is no answer: it is text, neither JSON nor a stream.")
    first = b"".join(frames[:3])
    if b'"message_start"' in first:
        summed = message_of_events(frames)
        found, finished, error = summed.message, summed.finished, summed.error
    elif b'"response.' in first:
        found, error = last_response(frames)
        finished = found is not None
    else:
        chunks = assemble(frames)
        found, finished, error = chunks.completion, chunks.finished, chunks.error
    if found is None or not finished or error is not None:
        raise InputError("This stream has no whole answer.")
    return found


def _frames(text: str) -> Iterator[bytes]:
    for line in text.split("\n"):
        if line.startswith("data:"):
            yield line[5:].strip().encode()
