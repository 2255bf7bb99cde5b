"""LiteLLM: rows of its spend logs, and the payloads that its file and bucket callbacks write.

A spend row has `messages`, mostly empty, and the whole request in `proxy_server_request`; what it
says of content depends on the proxy's settings, and rows without any are counted as such. A cost of
0 for a call that used tokens is what LiteLLM writes for a model it has no price for: it is unknown,
unless the answer came from LiteLLM's cache. Long texts are stored without their middle, unless the
proxy is told otherwise: what is learnt from such a row would be wrong, so it is none.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import Answer, Call
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.each import each_call
from stepdown.logs.exports import Export, amount, call_of, empty, mapping, told_by, usage_of
from stepdown.wire.exchanges import unwrapped

__all__ = ["FORMAT", "LiteLlm"]

TRUNCATED = "text cut by LiteLLM (MAX_STRING_LENGTH_PROMPT_IN_DB)"

_REDACTED = b"redacted-by-litellm"
_CUT = "(litellm_truncated skipped "
_SPEND = frozenset(("request_id", "call_type", "spend"))
_PAYLOAD = frozenset(("id", "call_type", "response_cost"))
_CHAT = frozenset(
    ("", "completion", "acompletion", "anthropic_messages", "responses", "aresponses")
)

Body = dict[str, msgspec.Raw]


class _Row(msgspec.Struct):
    """A spend row or a payload: the fields of both that are read."""

    call_type: Any = ""
    id: Any = None
    request_id: Any = None
    model: Any = ""
    messages: msgspec.Raw = msgspec.Raw(b"null")
    response: msgspec.Raw = msgspec.Raw(b"null")
    proxy_server_request: msgspec.Raw = msgspec.Raw(b"null")
    model_parameters: msgspec.Raw = msgspec.Raw(b"null")
    spend: Any = None
    response_cost: Any = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    startTime: Any = None
    endTime: Any = None
    request_duration_ms: Any = None
    status: Any = None
    cache_hit: Any = None
    session_id: Any = None
    end_user: Any = None
    metadata: Any = None


_row = msgspec.json.Decoder(_Row).decode
_body = msgspec.json.Decoder(Body).decode
_encode = msgspec.json.Encoder().encode


class LiteLlm:
    """Reads LiteLLM's spend logs and standard logging payloads."""

    name = "litellm"

    def detect(self, sample: Sequence[dict[str, Any]]) -> bool:
        """Say whether a line has the fields that only LiteLLM writes side by side."""
        return any(line.keys() >= _SPEND or line.keys() >= _PAYLOAD for line in sample)

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each row's call, or why there is none."""
        return each_call(lines, lambda line: _call(line, _row(line.data)))


def _call(line: Line, row: _Row) -> Call | str:
    if not isinstance(row.call_type, str) or row.call_type not in _CHAT:
        return reasons.NOT_CHAT
    if _REDACTED in bytes(row.messages) or _REDACTED in bytes(row.response):
        return reasons.NO_CONTENT
    request = _request(row)
    if request is not None and _CUT.encode() in request:
        return TRUNCATED
    found = call_of(line, _export(row, request))
    return TRUNCATED if isinstance(found, Call) and _is_cut(found.answer) else found


def _is_cut(answer: Answer) -> bool:
    said = (answer.text or "", *(call.arguments for call in answer.tool_calls))
    return any(_CUT in text for text in said)


def _export(row: _Row, request: bytes | None) -> Export:
    usage = usage_of(row.prompt_tokens, row.completion_tokens)
    cost = amount(row.spend if row.spend is not None else row.response_cost)
    cached = str(row.cache_hit).lower() == "true"
    if cost == 0 and not cached:
        cost = None
    return Export(
        request=request,
        response=row.response,
        id=row.request_id or row.id,
        model=row.model if isinstance(row.model, str) else "",
        begun=row.startTime,
        ended=row.endTime,
        latency_ms=row.request_duration_ms,
        usage=usage,
        cost_usd=cost,
        metadata=_caller_metadata(row.metadata),
        group=row.session_id if isinstance(row.session_id, str) else None,
        by=_whose(row.metadata, row.end_user),
        failed=row.status == "failure",
    )


def _request(row: _Row) -> bytes | None:
    """Return the request's body: what the proxy received, with the messages as they were sent on.

    Payloads have the parameters apart.
    """
    sent = _fields(row.proxy_server_request)
    # In some versions the body stands below "body", with the URL and headers beside it.
    sent = _fields(sent["body"]) if "body" in sent and "messages" not in sent else sent
    asked = sent or _fields(row.model_parameters)
    if not empty(row.messages):
        messages = msgspec.Raw(unwrapped(row.messages))
        asked = {name: raw for name, raw in asked.items() if name != "input"}
        asked["messages"] = messages
    if "messages" not in asked and "input" not in asked:
        return None
    asked.setdefault("model", msgspec.Raw(_encode(row.model or "")))
    return _encode(asked)


def _fields(raw: msgspec.Raw) -> Body:
    try:
        return _body(unwrapped(raw))
    except (ValueError, RecursionError):
        return {}


def _caller_metadata(metadata: Any) -> dict[str, Any]:
    """Return what the caller gave as metadata: LiteLLM keeps it inside its own."""
    own = mapping(metadata)
    asked = mapping(own.get("requester_metadata")) or mapping(own.get("spend_logs_metadata"))
    return {**own, **asked}


def _whose(metadata: Any, end_user: Any) -> dict[str, str]:
    own = mapping(metadata)
    return told_by(
        user=end_user or own.get("user_api_key_end_user_id"),
        team=own.get("user_api_key_team_alias") or own.get("user_api_key_team_id"),
        key=own.get("user_api_key_alias"),
    )


FORMAT = LiteLlm()
