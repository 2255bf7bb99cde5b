"""Who watches requests costs them next to nothing."""

import os
import threading
import time

import pytest

from stepdown.core.routes import Decision
from stepdown.serve.capture import Turn
from stepdown.serve.settings import Settings
from stepdown.serve.watch import Watch

COMPLETION = b'{"id":"c","model":"m","choices":[{"finish_reason":"stop"}],"usage":{}}'


async def nowhere(message):
    pass


def turn():
    made = Turn("1", time.time(), 0.0, "POST", "/chat/completions", [(b"user-agent", b"me")])
    made.decision = Decision("answered", "confident", "small")
    made.completion = COMPLETION
    return made


def test_nobody_listens_where_nothing_is_configured():
    watch = Watch(Settings(), bytes)
    assert not watch.on
    assert watch.counts() == {}
    watch.close()


def test_p4_a_watched_request_costs_the_loop_some_microseconds(tmp_path, figure):
    pytest.importorskip("opentelemetry.sdk")
    settings = Settings(access_log=str(tmp_path / "log"), otlp_endpoint="http://127.0.0.1:9")
    watch = Watch(settings, bytes)
    best = float("inf")
    for _ in range(20):
        turns = [turn() for _ in range(200)]
        began = time.thread_time()
        for one in turns:
            watch.began(one, nowhere)
            watch.ended(one, "/v1/chat/completions", 0.001)
        best = min(best, (time.thread_time() - began) / len(turns))
        time.sleep(0.01)
    watch.close()
    figure(f"{best * 1e6:.0f} µs a request for access log and span, on the event loop")
    assert best < 100e-6


def test_a_log_that_is_still_written_to_stays_open(tmp_path, monkeypatch):
    watch = Watch(Settings(access_log=str(tmp_path / "log")), bytes)
    gate, real = threading.Event(), os.write

    def slow(file, data):
        gate.wait(10)
        return real(file, data)

    monkeypatch.setattr("stepdown.serve.access.os.write", slow)
    watch.ended(turn(), "/v1/chat/completions", 0.001)
    (queue,) = watch._queues.values()
    queue.close(0.5)
    watch.close()
    gate.set()
    queue.close(10)
    assert (tmp_path / "log").read_bytes().endswith(b"}\n")
