"""OpenTelemetry: one span a request, by the newest names of the GenAI conventions, without content.

A span is made from the finished request in one go, by the thread that sends it.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from stepdown import __version__
from stepdown.errors import Unavailable
from stepdown.serve.afterwards import Ended
from stepdown.serve.headers import REFUSED
from stepdown.serve.providers import provider_of
from stepdown.serve.trace import Trace

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext

__all__ = ["SpanSender"]

_TIMEOUT_S = 5.0
_SERVER_ERROR = 500
_CLIENT_ERROR = 400
_OPERATIONS = {
    "/v1/chat/completions": "chat",
    "/v1/messages": "chat",
    "/v1/responses": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}
_NANO = 1_000_000_000


class SpanSender:
    """Sends spans to an OTLP collector over HTTP; `clean` takes secrets out of callers' names.

    Raises:
        Unavailable: the extra is not installed.
    """

    def __init__(self, endpoint: str, clean: Callable[[bytes], bytes]) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace.export import SpanExportResult
            from opentelemetry.sdk.util.instrumentation import InstrumentationScope
        except ImportError as error:
            raise Unavailable(
                "Sending spans needs an extra that is not installed; run `pip install "
                "'stepdown[otel]'`, or remove otlp_endpoint and OTEL_EXPORTER_OTLP_ENDPOINT."
            ) from error
        # What fails is counted, and told once; the library would tell it at every batch.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
        named = "OTEL_SERVICE_NAME" in os.environ
        self._resource = Resource.create({} if named else {"service.name": "stepdown"})
        self._scope = InstrumentationScope("stepdown", __version__)
        self._exporter = OTLPSpanExporter(endpoint=_traces(endpoint), timeout=_TIMEOUT_S)
        self._success = SpanExportResult.SUCCESS
        self._clean = clean

    def send(self, batch: Sequence[Ended]) -> None:
        """Send a span for each call that its trace wants told.

        Raises:
            OSError: the collector did not take them.
        """
        spans = [self._span(one, one.trace) for one in batch if one.trace and one.trace.sampled]
        if spans and self._exporter.export(spans) is not self._success:
            raise OSError("the collector does not take spans")

    def close(self) -> None:
        """Let go of the connection."""
        self._exporter.shutdown()

    def _span(self, one: Ended, trace: Trace) -> "ReadableSpan":
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import SpanKind, Status, StatusCode

        failed = one.status >= _SERVER_ERROR or bool(one.problem)
        operation, start = _OPERATIONS.get(one.path), int(one.time * _NANO)
        asked = self._cleaned(one.asked)
        return ReadableSpan(
            f"{operation} {asked}".strip() if operation else f"{one.method} /v1/*",
            _context(trace, trace.span),
            _context(trace, trace.parent, remote=True) if trace.parent else None,
            self._resource,
            dict(self._attributes(one, operation, asked)),
            kind=SpanKind.SERVER,
            status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
            start_time=start,
            end_time=start + int(one.seconds * _NANO),
            instrumentation_scope=self._scope,
        )

    def _attributes(
        self, one: Ended, operation: str | None, asked: str
    ) -> Iterator[tuple[str, Any]]:
        yield "http.request.method", one.method
        yield "http.response.status_code", one.status
        yield "stepdown.request.id", one.id
        if one.problem or one.status >= _CLIENT_ERROR:
            yield "error.type", one.problem or str(one.status)
        if operation:
            yield "http.route", one.path
            yield "gen_ai.operation.name", operation
            yield "gen_ai.provider.name", _provider(one)
            yield "gen_ai.request.stream", one.stream
        if asked:
            yield "gen_ai.request.model", asked
        yield from self._told(one)
        yield from _decided(one)

    def _told(self, one: Ended) -> Iterator[tuple[str, Any]]:
        if one.model:
            yield "gen_ai.response.model", self._cleaned(one.model)
        if one.told is not None:
            if one.told.id:
                yield "gen_ai.response.id", self._cleaned(one.told.id)
            if one.told.finish_reasons:
                yield "gen_ai.response.finish_reasons", one.told.finish_reasons
        if one.usage is not None:
            yield "gen_ai.usage.input_tokens", one.usage.input_tokens
            yield "gen_ai.usage.output_tokens", one.usage.output_tokens
            if one.usage.cached_tokens:
                yield "gen_ai.usage.cache_read.input_tokens", one.usage.cached_tokens
            if written := one.usage.cache_writes + one.usage.cache_writes_1h:
                yield "gen_ai.usage.cache_write.input_tokens", written
        if one.first_byte_s is not None:
            yield "gen_ai.response.time_to_first_chunk", one.first_byte_s

    def _cleaned(self, name: str) -> str:
        return self._clean(name.encode("utf-8", "replace")).decode("utf-8", "replace")


def _decided(one: Ended) -> Iterator[tuple[str, Any]]:
    """Yield what is ours alone; what does not apply is left out."""
    if one.decision is not None:
        yield "stepdown.tier", one.decision.tier
        yield "stepdown.decision", one.decision.kind
        yield "stepdown.reason", one.decision.reason
        if one.decision.confidence is not None:
            yield "stepdown.confidence", one.decision.confidence
    elif one.problem:
        yield "stepdown.decision", REFUSED
        yield "stepdown.reason", one.problem
    named = {
        "student": one.decision.student if one.decision else "",
        "task": one.task,
        "upstream": one.upstream,
        "key.id": one.key,
        "retries": one.tries,
    }
    yield from ((f"stepdown.{name}", value) for name, value in named.items() if value)


def _provider(one: Ended) -> str:
    if one.decision is not None and one.decision.tier == "small":
        return "stepdown"
    return provider_of(one.upstream)


def _context(trace: Trace, span: int, *, remote: bool = False) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(trace.trace, span, remote, TraceFlags(TraceFlags.SAMPLED))


def _traces(endpoint: str) -> str:
    """Return where traces go: below a collector's root at their usual path."""
    root = endpoint.rstrip("/")
    return root if root.endswith("/v1/traces") else f"{root}/v1/traces"
