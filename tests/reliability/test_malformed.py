"""S-11: no body makes a 5xx, a wait or a long echo, on any path and in any dialect."""

import http.client
import time

import pytest
from tests.reliability.malformed import raw_bodies

PATHS = {
    "/v1/chat/completions": "chat",
    "/v1/route": "chat",
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "messages",
    "/v1/responses": "responses",
    "/v1/embeddings": "chat",
    "/v1/models/x": "chat",
    "/healthz": "chat",
}


@pytest.mark.reliability
@pytest.mark.parametrize("path", PATHS)
def test_s11_malformed_bodies_on_every_path(start, world, figure, path):
    start()
    # What an upstream makes of a body is its own business: this one answers whatever it is.
    world.upstream.fault = "html"
    slowest, statuses, bodies = ("", 0.0), {}, raw_bodies(PATHS[path])
    for name, body in bodies.items():
        connection = http.client.HTTPConnection(world.url.removeprefix("http://"), timeout=30)
        began, worked = time.monotonic(), time.process_time()
        connection.request("POST", path, body, {"content-type": "application/json"})
        reply = connection.getresponse()
        told = reply.read()
        # The gateway runs in this process: its own time, whatever else the machine does.
        assert time.process_time() - worked < 2.0, name
        seconds = time.monotonic() - began
        connection.close()
        assert reply.status < 500, (name, reply.status, told[:300])
        assert b"Z" * 201 not in told, name
        if reply.status >= 400 and reply.status != 405:
            assert b'"message"' in told, name
        slowest = max(slowest, (name, seconds), key=lambda one: one[1])
        statuses[reply.status] = statuses.get(reply.status, 0) + 1
    assert slowest[1] < 10.0, slowest
    counted = ", ".join(f"{count} of {status}" for status, count in sorted(statuses.items()))
    figure(f"{path}: {len(bodies)} bodies, {counted}, slowest {slowest[1] * 1000:.0f} ms")
