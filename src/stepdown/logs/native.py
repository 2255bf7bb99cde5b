"""The native log line: one call a line, as DESIGN §3.2 and the gateway's capture write it.

`{"id", "time", "request": {…}, "response": {…}, "latency_ms", "cost_usd", "metadata":
{"stepdown_task", "group"}, "stepdown": {"tier"}}`; all but request and response may be absent. The
bodies may also be Anthropic's messages or OpenAI's responses, as they were sent.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import msgspec

from stepdown.core.calls import Call
from stepdown.core.ports import Line
from stepdown.errors import InputError
from stepdown.logs import reasons
from stepdown.logs.each import each_call
from stepdown.logs.exports import Export, call_of, mapping, told_by, unanswered
from stepdown.logs.hints import caller_hints
from stepdown.logs.lines import line_id
from stepdown.logs.times import parse_time
from stepdown.wire.exchanges import unwrapped
from stepdown.wire.openai import ChatBody, ChatCompletion, answer_from, parse_answer, request_from

__all__ = ["FORMAT", "Native"]


class _Told(msgspec.Struct, gc=False):
    """What a line says beside its two bodies."""

    id: Any = None
    time: Any = None
    latency_ms: Any = None
    cost_usd: Any = None
    cost: Any = None
    status: Any = None
    metadata: Any = None
    stepdown: Any = None


class _NativeLine(_Told, gc=False, kw_only=True):
    request: ChatBody
    response: ChatCompletion


class _LooseLine(_Told, gc=False, kw_only=True):
    """A line of any dialect: its bodies as they stand there."""

    request: msgspec.Raw
    response: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(_NativeLine).decode
_loose = msgspec.json.Decoder(_LooseLine).decode
_explain = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_anything = msgspec.json.Decoder().decode


class Native:
    """Reads the native line."""

    name = "native"

    def detect(self, sample: Sequence[dict[str, Any]]) -> bool:
        """Say whether a line has a request as an object."""
        return any(
            isinstance(line.get("request"), dict) and line.get("object") != "chat.completion"
            for line in sample
        )

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each line's call, or why there is none."""
        return each_call(lines, _read)


def _read(line: Line) -> Call | str:
    try:
        return _call(line)
    except (InputError, ValueError, RecursionError):
        found = _of_another_dialect(line)
        if isinstance(found, Call):
            return found
        why = _why(line)
        # Why it is no call of another dialect says more than that it is none of this one.
        return found if found and why == reasons.NOT_CHAT else why


def _call(line: Line) -> Call:
    record = _decode(line.data)
    if record.status is not None and not _succeeded(record.status):
        raise InputError("The call failed.")
    request = request_from(record.request)
    answer, usage, model = answer_from(record.response)
    created = parse_time(record.time)
    task, group = caller_hints(record.metadata, request)
    return Call(
        str(record.id) if record.id else line_id(line),
        request,
        answer,
        model or request.model,
        parse_time(record.response.created) if created is None else created,
        _amount(record.latency_ms),
        usage,
        _amount(record.cost_usd if record.cost_usd is not None else record.cost),
        task,
        group,
        _told(record.stepdown, "tier"),
        _by(record),
    )


def _of_another_dialect(line: Line) -> Call | str | None:
    """Return the call of a line whose bodies are messages or responses, as they were sent, or why
    there is none; None where they are of neither."""
    try:
        told = _loose(line.data)
    except (ValueError, RecursionError):
        return None
    if told.status is not None and not _succeeded(told.status):
        return None
    bodies = unwrapped(told.response).startswith((b"{", b'"data:', b'"event:'))
    if not bodies or not unwrapped(told.request).startswith(b"{"):
        # A line holds bodies, or the text of a stream: words alone are a slip.
        return None
    return call_of(line, _export(told))


def _export(told: _LooseLine) -> Export:
    cost = told.cost_usd if told.cost_usd is not None else told.cost
    return Export(
        told.request,
        told.response,
        id=told.id,
        begun=told.time,
        latency_ms=told.latency_ms,
        cost_usd=_amount(cost),
        metadata=told.metadata,
        by=_by(told),
    )


def _why(line: Line) -> str:
    """Say why a line is no call; where its answer alone is missing, its request comes with it."""
    reason = _problem(line.data)
    if reason not in (reasons.NO_ANSWER, reasons.ERROR_ANSWER):
        return reason
    return unanswered(line, _export(_loose(line.data)), reason)


def _told(captured: Any, name: str) -> str:
    """Return what our own gateway notes under a name, such as the tier that answered."""
    if not isinstance(captured, dict):
        return ""
    told = cast("dict[str, Any]", captured).get(name)
    return told if isinstance(told, str) else ""


def _by(record: _Told) -> dict[str, str]:
    """Return whose call it was: by the gateway's virtual key, or by the caller's own metadata."""
    if record.metadata is None and record.stepdown is None:
        return {}
    own = mapping(record.metadata)
    return told_by(
        user=own.get("user") or own.get("user_id"),
        team=own.get("team"),
        key=_told(record.stepdown, "key_name") or own.get("key"),
        service=own.get("service"),
        code=own.get("code"),
    )


def _amount(value: Any) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e15
    return float(value) if known else None


def _succeeded(status: Any) -> bool:
    """Say whether an HTTP status, or a word for one, is a success."""
    if isinstance(status, str) and not status.isdecimal():
        return status.lower() not in ("error", "failed", "failure", "timeout", "cancelled")
    number = float(status) if isinstance(status, str) else status
    return isinstance(number, (int, float)) and 200 <= number < 300


def _problem(data: bytes) -> str:
    """Say why a line that could not be read is no call: the first fault that stands in it."""
    fault = reasons.json_problem(data)
    if fault is not None:
        return fault
    record = _explain(data)
    request, response = (_parsed(record.get(name)) for name in ("request", "response"))
    if request is None:
        return reasons.NO_REQUEST
    if _failed(record, response):
        return reasons.ERROR_ANSWER
    if not isinstance(request, dict) or "messages" not in request:
        return reasons.NOT_CHAT
    if response is None:
        return reasons.NO_ANSWER
    if not isinstance(response, dict) or "choices" not in response:
        return reasons.NOT_CHAT
    return _malformed(record)


def _malformed(record: dict[str, msgspec.Raw]) -> str:
    try:
        parse_answer(record["response"])
    except InputError:
        return reasons.MALFORMED_ANSWER
    return reasons.MALFORMED_REQUEST


def _failed(record: dict[str, msgspec.Raw], response: Any) -> bool:
    status = _parsed(record.get("status"))
    if status is not None and not _succeeded(status):
        return True
    answered = cast("dict[str, Any]", response) if isinstance(response, dict) else {}
    return bool(answered.get("error") or _parsed(record.get("error"))) and "choices" not in answered


def _parsed(raw: msgspec.Raw | None) -> Any:
    return None if raw is None else _anything(raw)


FORMAT = Native()
