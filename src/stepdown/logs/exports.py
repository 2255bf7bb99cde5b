"""What the exports of other tools have in common: a record, its fields named as ours → a call."""

from typing import Any, cast

import msgspec

from stepdown.core.calls import Answer, Call, Request, Usage
from stepdown.core.ports import Line
from stepdown.errors import InputError
from stepdown.logs import reasons
from stepdown.logs.hints import caller_hints
from stepdown.logs.lines import line_id
from stepdown.logs.reasons import Unanswered
from stepdown.logs.times import parse_time
from stepdown.wire.exchanges import Said, read_answer, read_request, unwrapped

__all__ = [
    "Export",
    "amount",
    "call_of",
    "count",
    "empty",
    "mapping",
    "told_by",
    "unanswered",
    "usage_of",
]

_EMPTY = frozenset((b"", b"null", b"{}", b"[]", b'""'))
_MS = 1000.0
_LONGEST = 200
_MOST = 1e15  # of dollars, milliseconds or tokens: more is a slip, and no float holds its sums

_decode = msgspec.json.Decoder().decode


class Export(msgspec.Struct, frozen=True):
    """One record of an export; None and empty JSON say that it does not tell.

    `request` and `response` are JSON as it stands there: bodies, or strings of them. `begun` and
    `ended` are times in any form that `parse_time` reads; `usage` and `cost_usd` win over what the
    answer says (but for the provider's cache, which it alone may tell of), `group` and `task` are
    the caller's hints, `by` says whose call it was, `failed` that there is no answer.
    """

    request: bytes | msgspec.Raw | None
    response: bytes | msgspec.Raw | None
    id: Any = None
    model: str = ""
    begun: Any = None
    ended: Any = None
    latency_ms: Any = None
    usage: Usage | None = None
    cost_usd: float | None = None
    metadata: Any = None
    task: str | None = None
    group: str | None = None
    by: dict[str, str] = {}
    failed: bool = False


def call_of(line: Line, export: Export) -> Call | str:
    """Return the record's call, or the reason why there is none."""
    if export.failed:
        return unanswered(line, export, reasons.ERROR_ANSWER)
    asked, answered = export.request, export.response
    if asked is None or empty(asked):
        no_content = answered is None or empty(answered)
        return reasons.NO_CONTENT if no_content else reasons.NO_REQUEST
    if answered is None or empty(answered):
        return unanswered(line, export, reasons.NO_ANSWER)
    try:
        said = _said(answered)
    except InputError:
        reason = _no_answer(answered)
        return unanswered(line, export, reason) if reason == reasons.ERROR_ANSWER else reason
    if said.answer.text is None and not said.answer.tool_calls and said.answer.refusal is None:
        return unanswered(line, export, reasons.NO_ANSWER)
    try:
        request = read_request(asked, said)
    except InputError:
        return reasons.MALFORMED_REQUEST
    return _call(line, export, request, said)


def unanswered(line: Line, export: Export, reason: str) -> str:
    """Return the reason why a record has no answer, with its request where it tells one."""
    asked = export.request
    if asked is None or empty(asked):
        return reason
    nothing = Said(Answer())
    return Unanswered.of(reason, lambda: _call(line, export, read_request(asked), nothing))


def empty(raw: bytes | msgspec.Raw) -> bool:
    """Say whether JSON holds nothing: null, "", {}, [], or a string of one of them."""
    return unwrapped(raw) in _EMPTY


def mapping(value: Any) -> dict[str, Any]:
    """Return an object, also one that is a string of JSON; {} for anything else."""
    if isinstance(value, str):
        try:
            value = _decode(value)
        except (ValueError, RecursionError):
            return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def amount(value: Any) -> float | None:
    """Return a number that is no less than 0, also from a string; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _MOST else None


def count(value: Any) -> int | None:
    """Return a whole number that is no less than 0, or None."""
    if type(value) is int:
        return value if 0 <= value < _MOST else None
    known = amount(value)
    return None if known is None or known != int(known) else int(known)


def usage_of(
    read: Any, written: Any, cached: Any = None, kept: Any = None, *, apart: bool = False
) -> Usage | None:
    """Return token counts; None where either is unknown, or both are 0, which no call has.

    `cached` tokens came from the provider's cache and `kept` were put there; they are counted among
    those that were read, or `apart` from them.
    """
    known, made = count(read), count(written)
    if known is None or made is None or known + made == 0:
        return None
    hits, puts = count(cached) or 0, count(kept) or 0
    if apart:
        return Usage(known + hits + puts, made, hits, puts)
    hits = min(hits, known)
    return Usage(known, made, hits, min(puts, known - hits))


def _said(raw: bytes | msgspec.Raw) -> Said:
    """Read an answer; text that is neither JSON nor a stream is itself the answer."""
    data = unwrapped(raw)
    if data.startswith(b'"'):
        text = msgspec.json.decode(data, type=str)
        if not text.lstrip().startswith(("data:", "event:", ":")):
            return Said(Answer(text))
    return read_answer(data)


def _no_answer(raw: bytes | msgspec.Raw) -> str:
    """Say why an answer that could not be read is none."""
    try:
        value = _decode(unwrapped(raw))
    except (ValueError, RecursionError):
        return reasons.MALFORMED_ANSWER
    if not isinstance(value, dict):
        return reasons.MALFORMED_ANSWER
    body = cast("dict[str, Any]", value)
    if body.get("error") and "choices" not in body:
        return reasons.ERROR_ANSWER
    chat = "choices" in body or "output" in body or body.get("type") == "message"
    return reasons.MALFORMED_ANSWER if chat else reasons.NOT_CHAT


def _call(line: Line, export: Export, request: Request, said: Said) -> Call:
    began, ended = parse_time(export.begun), parse_time(export.ended)
    latency_ms = amount(export.latency_ms)
    if latency_ms is None and began is not None and ended is not None and ended >= began:
        latency_ms = (ended - began) * _MS
    task, group = caller_hints(mapping(export.metadata), request)
    return Call(
        str(export.id) if export.id else line_id(line),
        request,
        said.answer,
        said.model or export.model or request.model,
        parse_time(said.created) if began is None else began,
        latency_ms,
        _usage(export.usage, said.usage),
        export.cost_usd,
        task or export.task,
        group or export.group,
        by=export.by,
    )


def _usage(told: Usage | None, said: Usage | None) -> Usage | None:
    if told is None or said is None:
        return told or said
    same = told.output_tokens == said.output_tokens and told.input_tokens <= said.input_tokens
    return said if same and told.cached_tokens + told.cache_writes == 0 else told


def told_by(**names: Any) -> dict[str, str]:
    """Return whose call it was: of the names that are known, those that the record tells."""
    return {
        name: value[:_LONGEST] for name, value in names.items() if isinstance(value, str) and value
    }
