"""Spans as a real collector gets them: OTLP over HTTP, decoded from protobuf."""

import builtins
import http.server
import threading
import time

import pytest

from stepdown.errors import Unavailable
from stepdown.serve.settings import Timeouts
from stepdown.serve.spans import SpanSender

proto = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
SENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
KEY = "sk-aB3dE5fG7hI9jK1lM3nO5pQ7"


class Collector(http.server.ThreadingHTTPServer):
    """Takes exports; `status` is what it answers, `raw` what it was sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.raw = []
        self.paths = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self):
        found = []
        for body in self.raw:
            for resource in proto.ExportTraceServiceRequest.FromString(body).resource_spans:
                name = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_spans:
                    found += [(name["service.name"], span) for span in scope.spans]
        return found


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Collector  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.raw.append(body)
        self.server.paths.append(self.path)
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format, *args):
        pass


@pytest.fixture
def collector():
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def plain(span):
    """Return a span's attributes as values."""
    found = {}
    for attribute in span.attributes:
        kind = attribute.value.WhichOneof("value")
        value = getattr(attribute.value, kind)
        found[attribute.key] = (
            [one.string_value for one in value.values] if kind == "array_value" else value
        )
    return found


@pytest.fixture
def traced(start, world, collector):
    """Start a gateway that sends spans; traced.spans() ends it and returns them."""

    class Traced:
        def __call__(self, **settings):
            return start(otlp_endpoint=collector.url, **settings)

        def spans(self):
            world.stop()
            return [span for _, span in collector.spans()]

    return Traced()


def test_a_refused_call_says_that_it_is(traced, complete, body):
    traced()
    assert complete(body(model="stepdown/none")).status == 404
    (span,) = traced.spans()
    found = plain(span)
    assert found["stepdown.decision"] == "refused"
    assert found["stepdown.reason"] == found["error.type"] == "model_not_found"
    assert "stepdown.tier" not in found


def test_a_students_answer_in_its_callers_trace(traced, collector, complete, body):
    traced()
    reply = complete(body(), {"traceparent": SENT})
    (span,) = traced.spans()
    assert collector.paths == ["/v1/traces"]
    assert collector.spans()[0][0] == "stepdown"
    assert span.name == "chat gpt-4o"
    assert span.trace_id.hex() == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert span.parent_span_id.hex() == "00f067aa0ba902b7"
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 20e9
    assert abs(span.start_time_unix_nano / 1e9 - time.time()) < 60
    usage = reply.json()["usage"]
    assert plain(span) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/chat/completions",
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "stepdown",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.request.stream": False,
        "gen_ai.response.model": "stepdown/intents",
        "gen_ai.response.id": reply.json()["id"],
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "stepdown.request.id": reply.headers["x-stepdown-request-id"],
        "stepdown.task": "intents",
        "stepdown.tier": "small",
        "stepdown.decision": "answered",
        "stepdown.reason": "confident",
        "stepdown.student": "student-1",
        "stepdown.confidence": 0.99,
    }


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/v1/chat/completions", False),
        ("/v1/chat/completions", True),
        ("/v1/messages", False),
        ("/v1/responses", False),
    ],
)
def test_a_relayed_call_hands_its_trace_on(traced, world, complete, body, path, stream):
    traced()
    asked = {"model": "gpt-4o", "max_tokens": 9, "stream": stream}
    talk = "input" if path.endswith("responses") else "messages"
    asked |= {talk: [{"role": "user", "content": "x"}]}
    complete(asked, {"traceparent": SENT, "tracestate": "a=b"}, path=path)
    (span,) = traced.spans()
    ((_, _, headers, _),) = world.upstream.seen
    passed = {name.lower(): value for name, value in headers.items()}
    assert passed["traceparent"] == f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    assert passed["tracestate"] == "a=b"
    told = plain(span)
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "127.0.0.1"
    assert told["stepdown.upstream"] == f"{world.upstream.url}/v1"
    assert told["gen_ai.response.finish_reasons"]
    assert ("gen_ai.response.time_to_first_chunk" in told) == stream
    if not stream:
        assert told["gen_ai.usage.output_tokens"] > 0
    assert span.status.code == 0


def test_failures_say_their_type(traced, world, complete, body):
    traced(retries=0)
    for fault, stream in (("status:429", False), ("cut:2", True), ("blackhole", False)):
        world.upstream.fault = fault
        complete(body("hm", stream=stream))
    world.upstream.release.set()
    limited, broken, silent = traced.spans()
    assert (plain(limited)["error.type"], limited.status.code) == ("429", 0)
    assert (plain(broken)["error.type"], broken.status.code) == ("upstream_broke_off", 2)
    assert (plain(silent)["error.type"], silent.status.code) == ("upstream_timeout", 2)


def test_a_trace_that_is_not_sampled_and_probes_are_not_told(traced, complete, ask, body):
    traced()
    complete(body(), {"traceparent": SENT.replace("-01", "-00")})
    ask("GET", "/healthz")
    ask("GET", "/metrics")
    assert traced.spans() == []


def test_p4_no_text_and_no_key_is_in_a_span(traced, collector, complete, ask, body):
    traced()
    headers = {"authorization": f"Bearer {KEY}", "user-agent": KEY, "tracestate": f"k={KEY}"}
    for stream in (False, True):
        complete(body("my password is swordfish", model=f"m/{KEY}", stream=stream), headers)
    complete(body("my password is swordfish", system="swordfish"), headers)
    ask("POST", f"/v1/files/swordfish?key={KEY}", {"swordfish": KEY}, headers)
    assert len(traced.spans()) == 4
    sent = b"".join(collector.raw)
    assert b"swordfish" not in sent
    assert KEY.encode() not in sent


def test_a_collector_that_fails_is_counted_and_not_felt(
    traced, collector, complete, ask, body, wait
):
    collector.status = 400
    traced()
    assert complete(body()).status == 200
    wait(lambda: b"stepdown_spans_failed 1.0" in ask("GET", "/metrics").body)


def test_a_collector_that_is_not_there_is_not_felt(start, world, complete, body):
    start(otlp_endpoint="http://127.0.0.1:9", timeouts=Timeouts(poll=0.05))
    began = time.monotonic()
    assert complete(body()).status == 200
    world.stop()
    assert time.monotonic() - began < 15


def test_without_the_extra_one_sentence_says_how_to_get_it(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(Unavailable, match=r"pip install 'stepdown\[otel\]'"):
        SpanSender("http://h", bytes)


def test_off_nothing_listens_and_no_library_is_loaded(start, world, complete, body):
    start()
    complete(body("hm"))
    ((_, _, headers, _),) = world.upstream.seen
    assert "traceparent" not in {name.lower() for name in headers}
