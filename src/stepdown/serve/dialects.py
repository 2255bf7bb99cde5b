"""The dialects that callers speak: chat completions, messages, responses.

Each is one value. A request is turned into a chat-completions body once, and everything between
that and the answer knows nothing of dialects.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from stepdown.core.calls import Answer, Usage
from stepdown.errors import InputError
from stepdown.wire.anthropic import chat_of_messages
from stepdown.wire.anthropic_answers import (
    message_body,
    message_error,
    message_events,
    message_of_events,
    parse_message,
)
from stepdown.wire.openai_answers import (
    DONE,
    Stamp,
    completion_body,
    completion_frames,
    error_body,
    error_frame,
)
from stepdown.wire.openai_streams import Assembled, assemble
from stepdown.wire.responses import STORED, chat_of_responses
from stepdown.wire.responses_answers import (
    FINAL,
    last_response,
    parse_response,
    response_body,
    response_error_event,
    response_events,
)

__all__ = ["CHAT", "MESSAGES", "RESPONSES", "Dialect", "Said", "dialect_of", "meant"]

_DONE = b"[DONE]"
_NO_COUNT = Usage(0, 0)

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Said(msgspec.Struct, frozen=True):
    """An answer on its way out.

    `counted` says that a chat stream was asked to tell its usage; `sent` is the caller's own body.
    """

    answer: Answer
    stamp: Stamp
    usage: Usage
    sent: bytes
    counted: bool = False


class Dialect(msgspec.Struct, frozen=True):
    """How one API is spoken; `path` is below the API's root, `prefix` begins an answer's id.

    `chat` gives the chat-completions body of a request, `body` and `stream` an answer, `ends` says
    whether a stream's data is its last, `summed` and `completion` turn what an upstream said into
    a chat.completion, `error` and `error_frame` write errors of our own, as a body and in a stream.
    `key_header` is where its servers look for a key, `id_headers` where its clients look for the
    id of a request.
    """

    path: str
    prefix: str
    chat: Callable[[bytes], bytes]
    body: Callable[[Said], bytes]
    stream: Callable[[Said], bytes]
    ends: Callable[[bytes], bool]
    summed: Callable[[Sequence[bytes]], Assembled]
    completion: Callable[[bytes], bytes]
    error: Callable[[int, str, str | None, str | None, str], bytes]
    error_frame: Callable[[str, str | None], bytes]
    key_header: str = "authorization"
    id_headers: tuple[bytes, ...] = (b"x-request-id",)


def dialect_of(path: str) -> Dialect:
    """Return the dialect that is spoken at a path such as /v1/messages, or below it."""
    for dialect in (MESSAGES, RESPONSES):
        if path.startswith(f"/v1{dialect.path}"):
            return dialect
    return CHAT


def meant(body: bytes, query: str) -> Dialect:
    """Return the dialect of a request whose path does not tell: `api=…` of the query, else its
    shape.

    Raises:
        InputError: no dialect has that name.
    """
    for name, _, value in (part.partition("=") for part in query.split("&")):
        if name == "api":
            named = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}.get(value)
            if named is None:
                raise InputError("`api` is chat, messages or responses.")
            return named
    try:
        fields = _decode(body)
    except (ValueError, RecursionError):
        return CHAT  # whose parser says what is wrong with it
    if "messages" not in fields:
        return RESPONSES if _RESPONSES_ALONE & fields.keys() else CHAT
    tools = bytes(fields.get("tools", b""))
    return MESSAGES if _MESSAGES_ALONE & fields.keys() or b'"input_schema"' in tools else CHAT


_MESSAGES_ALONE = frozenset(("system", "stop_sequences", "thinking"))
"""Fields that only Anthropic's messages have."""
_RESPONSES_ALONE = frozenset(("input", *STORED))
"""Fields of which a responses request without `messages` has one."""


def _sound(
    sum_up: Callable[[Iterable[bytes]], Assembled], ends: Callable[[bytes], bool]
) -> Callable[[Sequence[bytes]], Assembled]:
    """Return what adds up a stream, and says so where what came is nonsense."""

    def summed(frames: Sequence[bytes]) -> Assembled:
        try:
            return sum_up(frames)
        except Exception as problem:  # noqa: BLE001 - an upstream may send anything, and the caller gets it as it is
            # One that did not come to its end broke off; that is told in any case.
            whole = bool(frames) and ends(frames[-1])
            return Assembled(None, False, f"unreadable: {problem!r}"[:200] if whole else None)

    return summed


def _ends_chat(data: bytes) -> bool:
    return data == _DONE


def _chat_completion(body: bytes) -> bytes:
    """Check that an upstream's answer is JSON that can be kept."""
    try:
        _decode(body)
        if not body.isascii():
            body.decode()
    except (ValueError, RecursionError) as problem:
        raise InputError(f"This is no chat completion ({problem}).") from problem
    return body


def _chat_stream(said: Said) -> bytes:
    return completion_frames(said.answer, said.stamp, said.usage if said.counted else None) + DONE


def _chat_error(
    status: int, message: str, code: str | None, param: str | None, request_id: str
) -> bytes:
    return error_body(message, code, param)


CHAT = Dialect(
    path="/chat/completions",
    prefix="chatcmpl-",
    chat=lambda body: body,
    body=lambda said: completion_body(said.answer, said.stamp, said.usage),
    stream=_chat_stream,
    ends=_ends_chat,
    summed=_sound(assemble, _ends_chat),
    completion=_chat_completion,
    error=_chat_error,
    error_frame=error_frame,
)


def _of_message(body: bytes) -> bytes:
    answer, usage, model = parse_message(body)
    return completion_body(answer, Stamp("", 0, model), usage or _NO_COUNT)


def _summed_message(frames: Iterable[bytes]) -> Assembled:
    found = message_of_events(frames)
    if found.message is None:
        return Assembled(None, found.finished, found.error)
    completion = _of_message(msgspec.json.encode(found.message))
    return Assembled(msgspec.json.decode(completion), found.finished, found.error)


def _ends_message(data: bytes) -> bool:
    return b'"message_stop"' in data


def _message_error(
    status: int, message: str, code: str | None, param: str | None, request_id: str
) -> bytes:
    return message_error(status, message, request_id)


def _message_error_frame(message: str, code: str | None) -> bytes:
    return b"event: error\ndata: " + message_error(500, message) + b"\n\n"


MESSAGES = Dialect(
    path="/messages",
    prefix="msg_",
    chat=chat_of_messages,
    body=lambda said: message_body(said.answer, said.stamp, said.usage),
    stream=lambda said: message_events(said.answer, said.stamp, said.usage),
    ends=_ends_message,
    summed=_sound(_summed_message, _ends_message),
    completion=_of_message,
    error=_message_error,
    error_frame=_message_error_frame,
    key_header="x-api-key",
    id_headers=(b"x-request-id", b"request-id"),
)


def _of_response(body: bytes) -> bytes:
    answer, usage, model = parse_response(body)
    return completion_body(answer, Stamp("", 0, model), usage or _NO_COUNT)


def _summed_response(frames: Iterable[bytes]) -> Assembled:
    response, error = last_response(frames)
    if response is None:
        return Assembled(None, finished=False, error=error)
    completion = _of_response(msgspec.json.encode(response))
    return Assembled(msgspec.json.decode(completion), finished=True, error=error)


_ENDS = tuple(f'"{kind}"'.encode() for kind in FINAL)


def _ends_response(data: bytes) -> bool:
    return any(kind in data for kind in _ENDS)


RESPONSES = Dialect(
    path="/responses",
    prefix="resp_",
    chat=chat_of_responses,
    body=lambda said: response_body(said.answer, said.stamp, said.usage, said.sent),
    stream=lambda said: response_events(said.answer, said.stamp, said.usage, said.sent),
    ends=_ends_response,
    summed=_sound(_summed_response, _ends_response),
    completion=_of_response,
    error=_chat_error,
    error_frame=response_error_event,
)
