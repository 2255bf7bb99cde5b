"""OpenTelemetry: OTLP JSON, whole or a batch a line, with GenAI or OpenInference attributes.

A batch holds many spans, and most traces hold more than model calls: every span counts as a line of
its own, and those of other work are counted by that reason. What a span tells of content depends on
the instrumentation; without content it is counted as such. Where content stands in log records of
its own (`resourceLogs`), they are joined with the spans that they name.
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import IO, Any

import msgspec

from stepdown.core.calls import Call, Usage
from stepdown.core.ports import Line, LogFormat
from stepdown.logs import langfuse, otlp, reasons
from stepdown.logs.each import each_call
from stepdown.logs.exports import Export, amount, call_of, mapping, told_by, usage_of
from stepdown.wire import genai, openinference, span_names

__all__ = ["FORMAT", "OtelSpans"]

OTHER_WORK = "span of other work than a model call"

Attributes = Mapping[str, Any]

_OPERATIONS = frozenset(("chat", "generate_content", "text_completion", "completion"))
_ERRORS = frozenset(("2", "STATUS_CODE_ERROR"))
_IN_MEMORY = 256 * 1024 * 1024
_LENGTH = 8
"""Bytes that tell how long a line is that waits."""
_SPOKEN = (
    *(b'"gen_ai.input.messages"', b'"gen_ai.output.messages"', b'"gen_ai.prompt'),
    *(b'"gen_ai.completion', b'"gen_ai.user.message"', b'"gen_ai.choice"', b'"request_data"'),
    *(b'"gen_ai.client.inference.operation.details"', b'"ai.prompt', b'"key":"events"'),
    *(b'"langfuse.observation.input"', b'"langfuse.observation.output"'),
)
"""What stands in spans that tell of content themselves."""

_OBSERVED = {
    "input": "langfuse.observation.input",
    "output": "langfuse.observation.output",
    "level": "langfuse.observation.level",
    "model": "langfuse.observation.model.name",
    "modelParameters": "langfuse.observation.model.parameters",
    "usageDetails": "langfuse.observation.usage_details",
    "costDetails": "langfuse.observation.cost_details",
    "promptName": "langfuse.observation.prompt.name",
    "sessionId": "session.id",
}
_KIND = "langfuse.observation.type"
_TOLD_TWICE = ("request", "response", "model", "usage", "cost_usd", "metadata", "task", "group")

_encode = msgspec.json.Encoder().encode


class OtelSpans:
    """Reads OTLP JSON."""

    name = "otel"

    def detect(self, sample: Sequence[dict[str, Any]]) -> bool:
        """Say whether a line is a batch of spans or log records, or one of them alone."""
        return any(
            isinstance(line.get("resourceSpans", line.get("resourceLogs")), list)
            or (isinstance(line.get("attributes"), list) and ("name" in line or "body" in line))
            for line in sample
        )

    def suited(self, sample: Sequence[dict[str, Any]]) -> LogFormat:
        """Return what joins, for log records and for spans of model calls without any content."""
        text = b"".join(map(_encode, sample))
        bare = b'"gen_ai.' in text and not any(name in text for name in _SPOKEN)
        return _JOINED if bare or b'"resourceLogs"' in text else self

    def records(self, line: Line) -> Iterator[Line | str]:
        """Yield each span of a batch as a line of its own; a span alone is one already."""
        return otlp.records(line)

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield each span's call, or why there is none."""
        return each_call(lines, lambda line: _call(line, otlp.read_record(line.data)))


class _Joined(OtelSpans):
    """Reads spans together with the log records that name them, in any order and file."""

    joins = True

    def suited(self, sample: Sequence[dict[str, Any]]) -> LogFormat:
        """Return itself."""
        return self

    def read(self, lines: Iterable[Line]) -> Iterator[Call | str]:
        """Yield a call for each span with its records, and why the others gave none.

        They wait in a file; where each stands is kept in memory only if there are any records.
        """
        some = False
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as store:
            for line in lines:
                key, is_span = _joins_by(line)
                if not key:
                    yield from super().read([line])
                    continue
                some = some or not is_span
                store.write(len(line.data).to_bytes(_LENGTH) + line.data)
            if not some:
                yield from super().read(_stored(store))
                return
            held: dict[str, list[int]] = {}
            at = 0
            for line in _stored(store):
                held.setdefault(_joins_by(line)[0], []).append(at)
                at += _LENGTH + len(line.data)
            for places in held.values():
                yield from [reasons.JOINED] * (len(places) - 1)
                parts = [next(_stored(store, place)).data for place in places]
                whole = Line(parts[0], "", 0)
                yield from each_call([whole], lambda line, parts=parts: _call(line, _whole(parts)))


def _stored(store: IO[bytes], at: int = 0) -> Iterator[Line]:
    """Yield the lines that wait, from that place on."""
    store.seek(at)
    while length := store.read(_LENGTH):
        yield Line(store.read(int.from_bytes(length)), "", 0)


def _joins_by(line: Line) -> tuple[str, bool]:
    """Return the ids that a span of a model call and its records share, "" for all others, and
    whether it is the span."""
    try:
        record = otlp.read_record(line.data)
        event = record.event()
        told = {} if event else otlp.told(record.attributes)
    except (ValueError, RecursionError):
        return "", False
    ours = genai.is_event(event.name) if event else _is_model_call(told)
    ours = ours and "openinference.span.kind" not in told
    return (_id(record) or "") if ours else "", event is None


def _whole(parts: Sequence[bytes]) -> otlp.Record:
    """Return a span with the events of its records; records alone stand for their span."""
    found = [otlp.read_record(part) for part in parts]
    events = [event for record in found if (event := record.event())]
    span = next((record for record in found if not record.event()), None)
    if span is None:
        told = list(chain.from_iterable(event.attributes for event in events))
        span = msgspec.structs.replace(found[0], attributes=told)
        span.startTimeUnixNano = span.timeUnixNano or 0
    own = span.events or []
    if not any(genai.is_event(event.name) for event in own):
        span.events = [*own, *events]
    return span


def _call(line: Line, span: otlp.Record) -> Call | str:
    event = span.event()
    if event and not genai.is_event(event.name):
        return OTHER_WORK
    told = otlp.told(span.attributes)
    if span.service:
        told.setdefault(otlp.SERVICE, span.service)
    found = _exchange(span, told, [*(span.events or ()), *([event] if event else ())])
    if found is None:
        return OTHER_WORK
    return call_of(
        line,
        msgspec.structs.replace(
            found,
            id=_id(span),
            begun=span.startTimeUnixNano or span.timeUnixNano,
            ended=span.endTimeUnixNano,
            failed=found.failed or _failed(span, told),
            by=told_by(
                user=told.get("user.id") or told.get("enduser.id"),
                service=told.get(otlp.SERVICE),
                code=_place(told),
            ),
        ),
    )


def _exchange(span: otlp.Record, told: Attributes, events: Sequence[otlp.Event]) -> Export | None:
    """Return what a span tells of a model call; None where it is of other work."""
    found = _named(told, events)
    return _observed(told, found) if told.get(_KIND) == "generation" else found


def _observed(told: Attributes, rest: Export | None) -> Export:
    """Return what Langfuse's names tell, and the `rest` where they don't: its SDK also passes on
    the spans of other instrumentations."""
    row: dict[str, Any] = {name: told.get(key) for name, key in _OBSERVED.items()}
    asked = {field: told[name] for name, field in genai.PARAMETERS.items() if name in told}
    row["modelParameters"] = {**asked, **mapping(row["modelParameters"])}
    row["model"] = row["model"] or (rest and rest.model)
    own = langfuse.export_of(row)
    if rest is None:
        return own
    lacking = (name for name in _TOLD_TWICE if not getattr(own, name))
    return msgspec.structs.replace(own, **{name: getattr(rest, name) for name in lacking})


def _named(told: Attributes, events: Sequence[otlp.Event]) -> Export | None:
    """Return what OpenInference's names or the conventions' tell of a model call."""
    if "openinference.span.kind" in told:
        if not openinference.is_chat(told):
            return None
        request, answer = openinference.request_body(told), _output(told)
        return _with(_inferred(told), request, answer)
    told = span_names.conventional(told)
    if not _is_model_call(told):
        return None
    said = [(event.name, otlp.told(event.attributes)) for event in events]
    said += span_names.own_events(told)
    answer = _completion(genai.answer_message(told, said), told)
    return _with(_conventional(told), genai.request_body(told, said), answer)


def _with(export: Export, request: Any, answer: bytes | None) -> Export:
    asked = None if request is None else _encode(request)
    return msgspec.structs.replace(export, request=asked, response=answer)


def _is_model_call(told: Attributes) -> bool:
    operation = told.get("gen_ai.operation.name")
    if operation is not None:
        return isinstance(operation, str) and operation in _OPERATIONS
    if told.get("llm.request.type") not in (None, "chat", "completion"):
        return False
    kind = told.get("traceloop.span.kind")
    return kind is None and ("gen_ai.request.model" in told or "gen_ai.system" in told)


def _completion(message: Any, told: Attributes) -> bytes | None:
    if message is None:
        return None
    choice = {"index": 0, "message": message, "finish_reason": genai.finish_reason(told)}
    return _encode({"choices": [choice]})


def _output(told: Attributes) -> bytes | None:
    """Return the answer of an OpenInference span: its body, or else the message that it tells."""
    body = openinference.answer_body(told)
    return _encode(body) if body else _completion(openinference.answer_message(told), told)


def _conventional(told: Attributes) -> Export:
    model = told.get("gen_ai.response.model") or told.get("gen_ai.request.model")
    return Export(
        None,
        None,
        model=model if isinstance(model, str) else "",
        usage=_first_usage(told),
        # Not in the conventions; Langfuse and others write it.
        cost_usd=amount(told.get("gen_ai.usage.cost")),
        task=_name(told.get("gen_ai.prompt.name") or told.get("traceloop.prompt.key")),
        group=_name(told.get("gen_ai.conversation.id")),
    )


def _inferred(told: Attributes) -> Export:
    return Export(
        None,
        None,
        model=_name(told.get("llm.model_name")) or "",
        usage=usage_of(
            told.get("llm.token_count.prompt"),
            told.get("llm.token_count.completion"),
            told.get("llm.token_count.prompt_details.cache_read"),
            told.get("llm.token_count.prompt_details.cache_write"),
        ),
        cost_usd=amount(told.get("llm.cost.total")),
        metadata=told.get("metadata"),
        group=_name(told.get("session.id")),
    )


def _first_usage(told: Attributes) -> Usage | None:
    name = "gen_ai.usage.cache_write.input_tokens"
    kept = told.get(name, told.get(name.replace("write", "creation")))
    hits = told.get("gen_ai.usage.cache_read.input_tokens")
    for read, made in (("input", "output"), ("prompt", "completion")):
        counts = (told.get(f"gen_ai.usage.{side}_tokens") for side in (read, made))
        if found := usage_of(*counts, cached=hits, kept=kept):
            return found
    return None


def _id(span: otlp.Record) -> str | None:
    return f"{span.traceId}-{span.spanId}" if span.traceId and span.spanId else None


def _place(told: Attributes) -> str | None:
    """Return where in the code the call was made: "file:line"."""
    file = told.get("code.file.path") or told.get("code.filepath")
    line = told.get("code.line.number") or told.get("code.lineno")
    return f"{file}:{line}" if isinstance(file, str) and file and line else None


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _failed(span: otlp.Record, told: Attributes) -> bool:
    return (span.status is not None and str(span.status.code) in _ERRORS) or "error.type" in told


FORMAT = OtelSpans()
_JOINED = _Joined()
