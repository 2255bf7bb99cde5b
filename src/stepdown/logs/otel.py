"""OpenTelemetry: OTLP JSON, whole or a batch a line, with GenAI or OpenInference attributes.

A batch holds many spans, and most traces hold more than model calls: every span counts as a line of
its own, and those of other work are counted by that reason. What a span tells of content depends on
the instrumentation; without content it is counted as such.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from stepdown.core.calls import Call, Usage
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.each import each_call
from stepdown.logs.exports import Export, amount, call_of, told_by, usage_of
from stepdown.wire import genai, openinference

__all__ = ["FORMAT", "OtelSpans"]

OTHER_WORK = "span of other work than a model call"

Attributes = Mapping[str, Any]

_OPERATIONS = frozenset(("chat", "generate_content", "text_completion", "completion"))
_ERRORS = frozenset(("2", "STATUS_CODE_ERROR"))
_JSON_MIME = "application/json"
_SERVICE = "service.name"


class _Value(msgspec.Struct, frozen=True, gc=False):
    """OTLP's AnyValue; of its members one is set."""

    stringValue: str | None = None
    intValue: int | str | None = None
    doubleValue: float | str | None = None
    boolValue: bool | None = None
    arrayValue: "_Values | None" = None
    kvlistValue: "_Pairs | None" = None


class _Values(msgspec.Struct, frozen=True, gc=False):
    values: list[_Value] = []


class _Pair(msgspec.Struct, frozen=True, gc=False):
    key: str
    value: _Value = _Value()


class _Pairs(msgspec.Struct, frozen=True, gc=False):
    values: list[_Pair] = []


class _Event(msgspec.Struct, gc=False):
    name: str = ""
    attributes: list[_Pair] = []


class _Status(msgspec.Struct, gc=False):
    code: Any = None


class _Span(msgspec.Struct, gc=False):
    traceId: str = ""
    spanId: str = ""
    startTimeUnixNano: Any = None
    endTimeUnixNano: Any = None
    attributes: list[_Pair] = []
    events: list[_Event] | None = None
    status: _Status | None = None
    service: str = ""


class _Scope(msgspec.Struct):
    spans: list[msgspec.Raw] = []


class _About(msgspec.Struct, frozen=True):
    attributes: list[_Pair] = []


class _Resource(msgspec.Struct):
    resource: _About = _About()
    scopeSpans: list[_Scope] = []
    instrumentationLibrarySpans: list[_Scope] = []


class _Batch(msgspec.Struct):
    resourceSpans: list[_Resource] | None = None


_batch = msgspec.json.Decoder(_Batch).decode
_span = msgspec.json.Decoder(_Span).decode
_encode = msgspec.json.Encoder().encode


class OtelSpans:
    """Reads OTLP JSON."""

    name = "otel"

    def detect(self, sample: Sequence[dict[str, Any]]) -> bool:
        """Say whether a line is a batch of spans, or a span alone."""
        return any(
            isinstance(line.get("resourceSpans"), list)
            or (isinstance(line.get("attributes"), list) and "name" in line)
            for line in sample
        )

    def records(self, line: Line) -> Iterator[Line | str]:
        """Yield each span of a batch as a line of its own; a span alone is one already."""
        try:
            batch = _batch(line.data)
        except (ValueError, RecursionError):
            yield reasons.json_problem(line.data) or reasons.MALFORMED_REQUEST
            return
        if batch.resourceSpans is None:
            yield line
            return
        for resource in batch.resourceSpans:
            service = _service(resource)
            for scope in (*resource.scopeSpans, *resource.instrumentationLibrarySpans):
                for span in scope.spans:
                    yield Line(_served_by(service, bytes(span)), line.source, line.number)

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each span's call, or why there is none."""
        return each_call(lines, lambda line: _call(line, _span(line.data)))


def _call(line: Line, span: _Span) -> Call | str:
    told = _told(span.attributes)
    if span.service:
        told.setdefault(_SERVICE, span.service)
    events = [(event.name, _told(event.attributes)) for event in span.events or ()]
    if "openinference.span.kind" in told:
        if not openinference.is_chat(told):
            return OTHER_WORK
        request, answer = openinference.request_body(told), _output(told)
        export = _inferred(span, told)
    elif _is_model_call(told):
        request = genai.request_body(told, events)
        answer = _completion(genai.answer_message(told, events), told)
        export = _conventional(span, told)
    else:
        return OTHER_WORK
    return call_of(
        line,
        msgspec.structs.replace(
            export,
            request=None if request is None else _encode(request),
            response=answer,
            failed=_failed(span, told),
            by=told_by(
                user=told.get("user.id") or told.get("enduser.id"),
                service=told.get(_SERVICE),
                code=_place(told),
            ),
        ),
    )


def _is_model_call(told: Attributes) -> bool:
    operation = told.get("gen_ai.operation.name")
    if operation is not None:
        return isinstance(operation, str) and operation in _OPERATIONS
    kind = told.get("traceloop.span.kind")
    return kind is None and ("gen_ai.request.model" in told or "gen_ai.system" in told)


def _service(resource: _Resource) -> msgspec.Raw | None:
    for pair in resource.resource.attributes:
        if pair.key == _SERVICE and pair.value.stringValue:
            return msgspec.Raw(_encode(pair.value.stringValue))
    return None


def _served_by(service: msgspec.Raw | None, span: bytes) -> bytes:
    """Return a span with the service beside its own fields: a batch says it once for all."""
    if service is None or not span.startswith(b"{") or span == b"{}":
        return span
    return b'{"service":' + bytes(service) + b"," + span[1:]


def _told(pairs: Iterable[_Pair]) -> dict[str, Any]:
    # Nearly all are texts: a call of `_plain` for each would take longer than the rest.
    return {
        pair.key: text if (text := pair.value.stringValue) is not None else _plain(pair.value)
        for pair in pairs
    }


def _plain(value: _Value) -> Any:
    """Return the member of an AnyValue that is set; integers come as strings."""
    if value.stringValue is not None:
        return value.stringValue
    if value.intValue is not None:
        return int(value.intValue)
    if value.doubleValue is not None:
        return float(value.doubleValue)
    if value.boolValue is not None:
        return value.boolValue
    if value.arrayValue is not None:
        return [_plain(item) for item in value.arrayValue.values]
    return None if value.kvlistValue is None else _told(value.kvlistValue.values)


def _completion(message: Any, told: Attributes) -> bytes | None:
    if message is None:
        return None
    choice = {"index": 0, "message": message, "finish_reason": genai.finish_reason(told)}
    return _encode({"choices": [choice]})


def _output(told: Attributes) -> bytes | None:
    """Return the answer of an OpenInference span: its body, or else the message that it tells."""
    whole = told.get("output.value")
    if isinstance(whole, str) and told.get("output.mime_type") == _JSON_MIME:
        return whole.encode()
    return _completion(openinference.answer_message(told), told)


def _conventional(span: _Span, told: Attributes) -> Export:
    model = told.get("gen_ai.response.model") or told.get("gen_ai.request.model")
    return Export(
        None,
        None,
        id=_id(span),
        model=model if isinstance(model, str) else "",
        begun=span.startTimeUnixNano,
        ended=span.endTimeUnixNano,
        usage=_first_usage(told),
        # Not in the conventions; Langfuse and others write it.
        cost_usd=amount(told.get("gen_ai.usage.cost")),
        task=_name(told.get("gen_ai.prompt.name") or told.get("traceloop.prompt.key")),
        group=_name(told.get("gen_ai.conversation.id")),
    )


def _inferred(span: _Span, told: Attributes) -> Export:
    return Export(
        None,
        None,
        id=_id(span),
        model=_name(told.get("llm.model_name")) or "",
        begun=span.startTimeUnixNano,
        ended=span.endTimeUnixNano,
        usage=usage_of(
            told.get("llm.token_count.prompt"),
            told.get("llm.token_count.completion"),
            told.get("llm.token_count.prompt_details.cache_read"),
        ),
        cost_usd=amount(told.get("llm.cost.total")),
        metadata=told.get("metadata"),
        group=_name(told.get("session.id")),
    )


def _first_usage(told: Attributes) -> Usage | None:
    cached = told.get("gen_ai.usage.cache_read.input_tokens")
    newest = usage_of(
        told.get("gen_ai.usage.input_tokens"), told.get("gen_ai.usage.output_tokens"), cached
    )
    return newest or usage_of(
        told.get("gen_ai.usage.prompt_tokens"), told.get("gen_ai.usage.completion_tokens"), cached
    )


def _id(span: _Span) -> str | None:
    return f"{span.traceId}-{span.spanId}" if span.traceId and span.spanId else None


def _place(told: Attributes) -> str | None:
    """Return where in the code the call was made: "file:line"."""
    file = told.get("code.file.path") or told.get("code.filepath")
    line = told.get("code.line.number") or told.get("code.lineno")
    return f"{file}:{line}" if isinstance(file, str) and file and line else None


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _failed(span: _Span, told: Attributes) -> bool:
    return (span.status is not None and str(span.status.code) in _ERRORS) or "error.type" in told


FORMAT = OtelSpans()
