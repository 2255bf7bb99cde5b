"""P-4: what the gateway tells of requests never holds their text or their keys.

Everything is switched on and everything goes wrong; then each byte that was told is searched.
"""

import http.server
import json
import logging
import threading

import pytest

from stepdown.core.calls import Answer
from stepdown.core.ports import Prediction
from stepdown.serve import calls

WORD = "swordfish"
KEY = "sk-aB3dE5fG7hI9jK1lM3nO5pQ7"
TALK = f"The password is {WORD}, the key is {KEY}."


@pytest.fixture
def collector():
    """Keeps what is exported, as it was sent."""
    sent = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            sent.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", sent
        server.shutdown()
        thread.join()


def raising(given):
    raise ValueError(f"can't read {given}")


def odd(given):
    return Prediction({"": TALK}, Answer(TALK), float("nan"))


HOSTILE = (
    b'{"model": "gpt-4o", "messages": [{"content": "' + TALK.encode() + b'"',
    json.dumps({"model": "gpt-4o", "messages": TALK}).encode(),
    json.dumps({"model": "gpt-4o", "messages": [{"role": TALK, "content": {"x": TALK}}]}).encode(),
    json.dumps({"model": 7, "messages": [TALK]}).encode(),
    json.dumps([TALK]).encode(),
    TALK.encode(),
    TALK.encode("utf-16"),
)
"""Bodies that can't be read."""
FAULTS = ("status:500", "cut:1", "cut:0", "html", "redirect", "blackhole", "bomb", "malformed")
PATHS = ("/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/route", "/v1/embeddings")
HEADERS = {"authorization": f"Bearer {KEY}", "x-api-key": KEY, "user-agent": f"me {KEY}"}


@pytest.mark.reliability
def test_p4_nothing_that_is_told_holds_text_or_keys(
    start, world, tmp_path, body, ask, collector, caplog, figure, monkeypatch
):
    pytest.importorskip("opentelemetry.sdk")
    endpoint, sent = collector
    log = tmp_path / "access.jsonl"
    caplog.set_level(logging.DEBUG)
    start(access_log=str(log), otlp_endpoint=endpoint, verbose=True, retries=0)
    told = []

    def tell(path, value, **more):
        reply = ask("POST", f"{path}?q={KEY}", value, HEADERS | more)
        if b"stepdown_error" in reply.body or reply.status >= 400:
            told.append(reply.body + repr(reply.headers).encode())

    for path in PATHS:
        for value in HOSTILE:
            tell(path, value)
        tell(path, body(TALK))
    for behave in (raising, odd):
        world.student.behave = behave
        tell(PATHS[0], body(TALK))
    world.student.behave = None
    for fault in FAULTS:
        world.upstream.fault = fault
        for stream in (False, True):
            tell(PATHS[0], body(TALK, stream=stream))
            tell(PATHS[0], body("hm", metadata={"x": TALK}, stream=stream))

    async def bug(*given):
        raise KeyError(TALK)

    monkeypatch.setattr(calls, "decide", bug)
    tell(PATHS[0], body(TALK))
    assert b"internal_error" in told[-1]
    told.append(ask("GET", "/metrics").body)
    told.append(ask("GET", "/readyz").body)
    world.upstream.release.set()
    world.stop()
    ours = [one for one in caplog.records if one.name.startswith("stepdown")]
    said = list(map(caplog.handler.format, ours))
    assert any("KeyError" in line for line in said)
    told += [*sent, log.read_bytes(), "\n".join(said).encode()]
    assert len(told) > 40
    assert sent
    for one in told:
        assert WORD.encode() not in one
        assert KEY.encode() not in one
    figure(f"{len(told)} error bodies, exports and logs searched, none with text or key")
