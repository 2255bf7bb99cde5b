"""Langfuse: generations of its observations API, its blob-storage export and its UI's exports.

The API writes camelCase, the blob export snake_case; input and output are JSON, or strings of it,
in whatever shape the application gave them: messages, a whole request, a prompt. Observations that
are no generation (spans, events) are counted as such.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import Call, Usage
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.each import each_call
from stepdown.logs.exports import Export, amount, call_of, mapping, told_by, usage_of
from stepdown.logs.loose import answer_body, request_body

__all__ = ["FORMAT", "Langfuse", "export_of"]

Json = dict[str, Any]

_TRACED = (frozenset(("traceId", "startTime")), frozenset(("trace_id", "start_time")))
_KINDS = ("GENERATION", "")  # a value of any type may be looked for in it
_MS = 1000.0

_decode = msgspec.json.Decoder(Json).decode


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
        return each_call(lines, _call)


def _call(line: Line) -> Call | str:
    row = _decode(line.data)
    return call_of(line, export_of(row)) if row.get("type") in _KINDS else reasons.NOT_CHAT


def export_of(row: Json) -> Export:
    """Return what an observation tells."""
    latency = amount(_first(row, "latency"))
    version = _first(row, "promptName", "prompt_name")
    group = _first(row, "sessionId", "session_id")
    return Export(
        request=request_body(row.get("input"), _parameters(row)),
        response=answer_body(row.get("output")),
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
        by=told_by(
            user=_first(row, "userId", "user_id"),
            service=_first(row, "traceName", "trace_name"),
        ),
        failed=row.get("level") == "ERROR",
    )


def _first(row: Json, *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _model(row: Json) -> str:
    name = _first(row, "model", "providedModelName", "provided_model_name")
    return name if isinstance(name, str) else ""


def _parameters(row: Json) -> Json:
    given = mapping(_first(row, "modelParameters", "model_parameters"))
    told = {name: value for name, value in given.items() if value not in (None, "", "inf")}
    return {**told, "model": _model(row)}


def _usage(row: Json) -> Usage | None:
    details = mapping(_first(row, "usageDetails", "usage_details", "usage"))
    return usage_of(
        _first(details, "input", "promptTokens", "prompt_tokens"),
        _first(details, "output", "completionTokens", "completion_tokens"),
        _first(details, "input_cached_tokens", "cache_read_input_tokens"),
        _first(details, "cache_creation_input_tokens", "input_cache_creation"),
        apart=True,
    )


def _cost(row: Json) -> float | None:
    details = mapping(_first(row, "costDetails", "cost_details"))
    cost = amount(_first(row, "totalCost", "total_cost", "calculatedTotalCost"))
    cost = amount(details.get("total")) if cost is None else cost
    return cost or None


FORMAT = Langfuse()
