"""Batches of OpenAI and Anthropic: requests joined with answers by `custom_id`, in either order.

OpenAI's request line is {custom_id, method, url, body}, of chat completions or responses, and its
answer line {id, custom_id, response: {status_code, body}, error}; Anthropic's are {custom_id,
params} and {custom_id, result: {type, message}}. They may stand in one file or in several that are
read together. Where several requests wait under one custom_id, nobody can say whose an answer is:
all are rejected.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import Answer, Call
from stepdown.core.ports import Line
from stepdown.errors import InputError
from stepdown.logs import reasons
from stepdown.logs.hints import caller_hints
from stepdown.logs.lines import line_id
from stepdown.logs.reasons import Unanswered
from stepdown.logs.times import parse_time
from stepdown.wire.exchanges import read_answer, read_request

__all__ = ["FORMAT", "Batch"]

AMBIGUOUS = "custom_id of several requests"
NO_CUSTOM_ID = "no custom_id"
NO_REQUEST_FOR_ANSWER = "no request for this answer"
REPEATED = "same half of a call again"

_IN_MEMORY = 256 * 1024 * 1024


_CALLS = ("/chat/completions", "/responses", "/messages")
_NOTHING = msgspec.Raw(b"null")
_REQUESTS = frozenset(("body", "params"))
_ANSWERS = frozenset(("response", "result", "error"))


class _Asked(msgspec.Struct):
    body: msgspec.Raw = _NOTHING
    params: msgspec.Raw = _NOTHING
    url: str = "/v1/chat/completions"


class _Reply(msgspec.Struct):
    """OpenAI's `response`, or Anthropic's `result`."""

    body: msgspec.Raw = _NOTHING
    message: msgspec.Raw = _NOTHING
    status_code: int = 200
    type: str = "succeeded"


class _Answered(msgspec.Struct):
    response: _Reply | None = None
    result: _Reply | None = None
    id: str | None = None


class _Named(msgspec.Struct):
    id: str = ""


_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_asked = msgspec.json.Decoder(_Asked).decode
_answered = msgspec.json.Decoder(_Answered).decode
_text = msgspec.json.Decoder(str).decode
_named = msgspec.json.Decoder(_Named).decode


class _Held(msgspec.Struct, frozen=True):
    """Where a waiting line lies; `ambiguous` ones are told already and lie nowhere."""

    is_request: bool
    offset: int = 0
    length: int = 0
    ambiguous: bool = False


class Batch:
    """Reads batches. `joins` asks for all files of a reading at once."""

    name = "openai-batch"
    joins = True

    def detect(self, sample: Sequence[dict[str, Any]]) -> bool:
        """Say whether a line has a custom_id and a request's or an answer's other fields."""
        return any(
            "custom_id" in line and "request" not in line and _is_half(line) for line in sample
        )

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield a call for each joined pair, and why the other lines gave none."""
        held: dict[str, _Held] = {}
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as store:
            for line in lines:
                known = _identify(line.data)
                if isinstance(known, str):
                    yield known
                    continue
                key, is_request = known
                other = held.get(key)
                if other is None:
                    held[key] = _Held(is_request, store.seek(0, 2), len(line.data))
                    store.write(line.data)
                elif other.ambiguous:
                    yield AMBIGUOUS
                else:
                    store.seek(other.offset)
                    waiting = store.read(other.length)
                    yield from _meet(held, key, (waiting, line), other.is_request != is_request)
            for half in held.values():
                if not half.is_request and not half.ambiguous:
                    yield NO_REQUEST_FOR_ANSWER
                elif not half.ambiguous:
                    store.seek(half.offset)
                    yield _unanswered(store.read(half.length), reasons.NO_ANSWER)


def _is_half(line: dict[str, Any]) -> bool:
    anthropic = any(isinstance(line.get(name), dict) for name in ("params", "result"))
    return anthropic or "body" in line or "response" in line


def _identify(data: bytes) -> tuple[str, bool] | str:
    """Return a line's custom_id and whether it is a request, or why it is neither."""
    fault = reasons.json_problem(data)
    if fault is not None:
        return fault
    fields = _fields(data)
    try:
        key = _text(fields.get("custom_id", b"null"))
    except msgspec.MsgspecError:
        return NO_CUSTOM_ID
    if fields.keys() & _REQUESTS:
        return key, True
    return (key, False) if fields.keys() & _ANSWERS else reasons.NO_ANSWER


def _meet(
    held: dict[str, _Held], key: str, halves: tuple[bytes, Line], fit: bool
) -> Iterator[Call | str]:
    """Yield what becomes of a line that meets one that waits under the same custom_id."""
    waiting, line = halves
    if fit:
        is_request = held.pop(key).is_request
        yield reasons.JOINED
        yield _joined(waiting, line.data, line) if is_request else _joined(line.data, waiting, line)
    elif waiting == line.data:
        yield REPEATED
    else:
        held[key] = _Held(held[key].is_request, ambiguous=True)
        yield AMBIGUOUS
        yield AMBIGUOUS


def _unanswered(asked: bytes, reason: str) -> str:
    """Return the reason why a request has no answer, with the request if it is one of ours."""

    def read() -> Call:
        body = _body_of(asked)
        if body is None:
            raise InputError(reasons.NOT_CHAT)
        request = read_request(body)
        # Its custom_id may be another request's in another batch.
        name = "batch-" + hashlib.sha256(asked).hexdigest()[:20]
        task, group = caller_hints(None, request)
        return Call(name, request, Answer(), request.model, task=task, group=group)

    return Unanswered.of(reason, read)


def _body_of(asked: bytes) -> msgspec.Raw | None:
    """Return the body that a request line sends; None where it is for another endpoint."""
    question = _asked(asked)
    if question.params is not _NOTHING:
        return question.params
    return question.body if question.url.endswith(_CALLS) else None


def _joined(asked: bytes, answered: bytes, line: Line) -> Call | str:
    try:
        question = _body_of(asked)
    except (ValueError, RecursionError):
        return reasons.MALFORMED_REQUEST
    if question is None:
        return reasons.NOT_CHAT
    try:
        name, body = _reply(answered)
        if body is None:
            return _unanswered(asked, reasons.ERROR_ANSWER)
        said = read_answer(body)
    except (InputError, ValueError, RecursionError):
        return reasons.MALFORMED_ANSWER
    try:
        request = read_request(question, said)
    except (InputError, ValueError, RecursionError):
        return reasons.MALFORMED_REQUEST
    task, group = caller_hints(None, request)
    return Call(
        name or line_id(line),
        request,
        said.answer,
        said.model or request.model,
        parse_time(said.created),
        usage=said.usage,
        task=task,
        group=group,
        batched=True,
    )


def _reply(answered: bytes) -> tuple[str, msgspec.Raw | None]:
    """Return an answer line's id and the answer in it; None where the call failed."""
    line = _answered(answered)
    reply = line.response or line.result
    if reply is None or reply.type != "succeeded" or not 200 <= reply.status_code < 300:
        return "", None
    if reply.message is not _NOTHING:
        return _named(reply.message).id, reply.message
    return line.id or "", reply.body


FORMAT = Batch()
