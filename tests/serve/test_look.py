"""Asking a running gateway how it is."""

import http.server
import socket
import threading
from contextlib import contextmanager

import pytest

from stepdown.errors import UpstreamError
from stepdown.serve.look import look


def test_a_live_gateway_tells_how_it_stands(start, complete, body, world):
    address = start()
    complete(body())
    complete(body("hm"))
    complete(body("hm"))
    seen = look(address)
    assert (seen.status, seen.generation, seen.problems) == ("ready", 1, ())
    assert seen.requests == {"small": 1, "mid": 0, "frontier": 2}
    assert seen.uptime_s is not None and seen.memory_bytes is not None
    assert seen.uptime_s > 0
    assert seen.per_second["frontier"] == pytest.approx(2 / seen.uptime_s)
    assert seen.memory_bytes > 10_000_000
    assert seen.capture["committed"] == 3
    assert seen.upstreams[0].address == f"{world.upstream.url}/v1"
    assert not seen.upstreams[0].held_back


def test_a_gateway_that_wants_a_key_tells_its_metrics_with_one_alone(start):
    address = start(host="0.0.0.0", client_keys=("a-client-key",))
    closed = look(address)
    assert (closed.status, closed.requests, closed.per_second) == ("ready", None, None)
    assert "client keys" in closed.unread
    opened = look(address, "a-client-key")
    assert opened.requests is not None
    assert opened.generation == 1


def test_nobody_there_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UpstreamError, match="does not answer"):
        look(f"http://127.0.0.1:{port}")


@contextmanager
def _other(given):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer = given if isinstance(given, bytes) else given[self.path]
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b"{}", b"[" * 100_000, b"\xff"])
def test_another_server_is_no_gateway(answer):
    with _other(answer) as address, pytest.raises(UpstreamError, match="no gateway"):
        look(address)


def test_what_is_captured_is_counted_of_all_workers():
    ready = b'{"status": "ready", "capture": {"committed": 4, "error": "", "behind": 1}}'
    page = (
        b'stepdown_capture_committed{worker="1"} 4.0\nstepdown_capture_committed{worker="2"} 5.0\n'
    )
    with _other({"/readyz": ready, "/metrics": page}) as address:
        assert look(address).capture == {"committed": 9, "error": "", "behind": 1}


def test_what_an_odd_gateway_leaves_out_is_unknown():
    with _other(b'{"status": "ready", "upstream": 7, "capture": [], "generation": "x"}') as address:
        seen = look(address)
    assert (seen.generation, seen.upstreams, seen.capture, seen.requests) == (None, (), {}, None)
