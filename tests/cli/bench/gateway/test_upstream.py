"""The model's stand-in: one answer, fifty events, and a hole that can be opened and closed."""

import json
import socket
import threading
from urllib.parse import urlsplit

from stepdown.cli.bench.client import Client, request_bytes
from stepdown.cli.bench.gateway.upstream import COMPLETION, EVENTS, frames, model_behind


def test_the_stream_has_fifty_events_and_an_end():
    *events, done = frames()
    assert len(events) == EVENTS
    assert done == b"data: [DONE]\n\n"
    choices = [json.loads(event[6:])["choices"][0] for event in events]
    assert choices[-1]["finish_reason"] == "stop"
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
    assert 500 < len(COMPLETION) < 900


def received(url, body):
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(request_bytes(body))
        data = b""
        while not data.endswith((b"0\r\n\r\n", COMPLETION)):
            data += connection.recv(65536)
        return data


def test_it_answers_as_it_was_asked():
    with model_behind() as url:
        assert received(url, b'{"stream": true}').count(b"data: ") == EVENTS + 1
        assert received(url, b'{"stream": false}').endswith(COMPLETION)


def test_a_hole_answers_when_it_is_closed():
    with model_behind() as url, Client(url, b"{}") as switch:
        switch.request = request_bytes(b"", "/hole/on")
        switch.post()
        found = []
        waiting = threading.Thread(target=lambda: found.append(received(url, b"{}")))
        waiting.start()
        waiting.join(0.3)
        assert found == []
        with Client(url, b"{}") as impatient:
            impatient.send()
        switch.request = request_bytes(b"", "/hole/off")
        switch.post()
        waiting.join()
        assert found[0].endswith(COMPLETION)
