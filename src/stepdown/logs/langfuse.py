"""Langfuse: generations of its observations API, its blob-storage export and its UI's exports.

The API writes camelCase, the blob export snake_case; input and output are JSON, or strings of it,
in whatever shape the application gave them: messages, a whole request, a prompt. Observations that
are no generation (spans, events) are counted as such.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import msgspec

from stepdown.core.calls import Call, Usage
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.exports import Export, amount, call_of, mapping, usage_of
from stepdown.wire.exchanges import parsed

__all__ = ["FORMAT", "Langfuse"]

Json = dict[str, Any]

_TRACED = (frozenset(("traceId", "startTime")), frozenset(("trace_id", "start_time")))
_ROLES = {"human": "user", "ai": "assistant", "model": "assistant"}
_KINDS = frozenset(("GENERATION", ""))
_MS = 1000.0

_decode = msgspec.json.Decoder(Json).decode
_encode = msgspec.json.Encoder().encode


class Langfuse:
    """Reads Langfuse's observations."""

    name = "langfuse"

    def detect(self, sample: Sequence[Json]) -> bool:
        """Say whether a line is an observation: it has a trace, a start and a type."""
        return any(
            any(line.keys() >= traced for traced in _TRACED)
            and "type" in line
            and ("input" in line or "output" in line or "level" in line)
            for line in sample
        )

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each generation's call, or why there is none."""
        for line in lines:
            try:
                row = _decode(line.data)
            except (ValueError, RecursionError):
                yield reasons.json_problem(line.data) or reasons.MALFORMED_REQUEST
                continue
            kind = row.get("type")
            yield call_of(line, _export(row)) if kind in _KINDS else reasons.NOT_CHAT


def _export(row: Json) -> Export:
    latency = amount(_first(row, "latency"))
    version = _first(row, "promptName", "prompt_name")
    group = _first(row, "sessionId", "session_id")
    return Export(
        request=_request(row),
        response=_answer(row.get("output")),
        id=row.get("id"),
        model=_model(row),
        begun=_first(row, "startTime", "start_time"),
        ended=_first(row, "endTime", "end_time"),
        latency_ms=None if latency is None else latency * _MS,
        usage=_usage(row),
        cost_usd=_cost(row),
        metadata=row.get("metadata"),
        task=version if isinstance(version, str) and version else None,
        group=str(group) if group else None,
        failed=row.get("level") == "ERROR",
    )


def _first(row: Json, *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _model(row: Json) -> str:
    name = _first(row, "model", "providedModelName", "provided_model_name")
    return name if isinstance(name, str) else ""


def _request(row: Json) -> bytes | None:
    given = parsed(row.get("input"))
    body: Json = {}
    if isinstance(given, dict):
        asked = cast("Json", given)
        if "messages" in asked or "input" in asked:
            body = dict(asked)
        elif isinstance(asked.get("prompt"), str):
            body = {"messages": [{"role": "user", "content": asked["prompt"]}]}
        elif "role" in asked:
            body = {"messages": [asked]}
        elif asked:
            # An application's own fields: one text that a template can be found in.
            body = {"messages": [{"role": "user", "content": _encode(asked).decode()}]}
    elif isinstance(given, list) and given:
        body = {"messages": given}
    elif isinstance(given, str) and given:
        body = {"messages": [{"role": "user", "content": given}]}
    if not body:
        return None
    if isinstance(body.get("messages"), list):
        body["messages"] = [_turn(turn) for turn in body["messages"]]
    parameters = mapping(_first(row, "modelParameters", "model_parameters"))
    told = {name: value for name, value in parameters.items() if value not in (None, "", "inf")}
    return _encode({**told, "model": _model(row), **body})


def _turn(turn: Any) -> Any:
    if not isinstance(turn, dict):
        return turn
    message = cast("Json", turn)
    role = message.get("role") or message.get("type")
    return {**message, "role": _ROLES.get(role, role)} if isinstance(role, str) else message


def _answer(given: Any) -> bytes | None:
    value = parsed(given)
    if isinstance(value, list) and len(cast("list[Any]", value)) == 1:
        value = cast("list[Any]", value)[0]
    if value is None or value == "":
        return None
    body: Json = cast("Json", value) if isinstance(value, dict) else {"content": value}
    if "choices" in body or "output" in body or body.get("type") == "message":
        return _encode(body)
    if "role" in body or "content" in body or "tool_calls" in body:
        content: Any = body.get("content")
        if content is not None and not isinstance(content, str | list):
            content = _encode(content).decode()
        return _encode({**body, "content": content, "role": "assistant"})
    said: Any = body.get("completion") or body.get("text")
    # Else it is what the application parsed the answer into.
    text = said if isinstance(said, str) else _encode(body).decode()
    return _encode({"role": "assistant", "content": text})


def _usage(row: Json) -> Usage | None:
    details = mapping(_first(row, "usageDetails", "usage_details", "usage"))
    cached = _first(details, "input_cached_tokens", "cache_read_input_tokens")
    known = usage_of(
        _first(details, "input", "promptTokens", "prompt_tokens"),
        _first(details, "output", "completionTokens", "completion_tokens"),
    )
    if known is None or cached is None:
        return known
    # Langfuse counts cached tokens beside the others, not among them.
    more = int(amount(cached) or 0)
    return Usage(known.input_tokens + more, known.output_tokens, more)


def _cost(row: Json) -> float | None:
    details = mapping(_first(row, "costDetails", "cost_details"))
    cost = amount(_first(row, "totalCost", "total_cost", "calculatedTotalCost"))
    cost = amount(details.get("total")) if cost is None else cost
    return cost or None


FORMAT = Langfuse()
