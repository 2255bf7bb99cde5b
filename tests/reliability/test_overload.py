"""R-7, R-9, D-10: more than the gateway takes, callers who leave, and an end under load."""

import json
import random
import resource
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from tests.reliability.load import at_rate, percentile
from tests.serve.children import in_flight
from tests.serve.conftest import address

from stepdown.serve.settings import Limits, Timeouts
from stepdown.store.sqlite import read_lines

MB = 2**20
pytestmark = pytest.mark.reliability


def resident():
    """The memory of this process, in bytes; the gateway is a thread of it."""
    return int(Path("/proc/self/statm").read_text("utf-8").split()[1]) * resource.getpagesize()


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.nightly)])
def test_r7_five_times_what_the_upstream_takes(start, world, complete, body, figure, seconds):
    """A hundred callers' threads, the upstream and the gateway share one process and two cores, so
    that a fifth of a second is left to them beside the plan's twice the usual tail."""
    pause, places = 0.2, 10
    world.upstream.pause = pause
    start(limits=Limits(upstream_requests=places), timeouts=Timeouts(), retries=0)
    capacity = places / pause

    def ask(number):
        return complete(body("hm"))

    usual = [took for _, took, _ in at_rate(ask, 0.8 * capacity, 4)]
    memory = resident()
    results = at_rate(ask, 5 * capacity, seconds, workers=100)
    accepted = [took for _, took, reply in results if reply.status == 200]
    shed = [(took, reply) for _, took, reply in results if reply.status != 200]
    assert {reply.status for _, reply in shed} == {503}
    assert all(reply.headers["retry-after"].isdigit() for _, reply in shed)
    quick = percentile([took for took, _ in shed], 0.5)
    assert quick <= 0.1
    grown = resident() - memory
    tail, usually = percentile(accepted, 0.99), percentile(usual, 0.99)
    assert tail <= 2 * usually + 0.2
    goodput = len(accepted) / max(at + took for at, took, _ in results) / capacity
    assert goodput >= 0.8
    assert grown <= 128 * MB
    began = time.monotonic()
    while complete(body("hm")).status != 200:
        assert time.monotonic() - began < 5
    assert complete(body()).decision() == ("answered", "confident")
    figure(
        f"5 × {capacity:.0f}/s for {seconds} s: goodput {goodput:.0%} of capacity, accepted p99 "
        f"{tail:.2f} s ({usually:.2f} s at 80%), {len(shed)} shed in {quick * 1000:.0f} ms, "
        f"+{grown / MB:.0f} MB"
    )


def test_r9_200_callers_who_leave_at_some_chunk(start, world, complete, body, wait, figure):
    world.upstream.words = [f"w{number}" for number in range(80)]
    world.upstream.pause = 0.005
    start(limits=Limits(upstream_connections=2), timeouts=Timeouts())
    sent = json.dumps(body("hm", stream=True)).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"

    def leave(drawn):
        for _ in range(100):
            with socket.create_connection(address(world.url)) as connection:
                connection.sendall(head % len(sent) + sent)
                for _ in range(drawn.randint(1, 20)):
                    connection.recv(4096)

    threads = [threading.Thread(target=leave, args=(random.Random(n),)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    began = time.monotonic()
    assert complete(body("hm", model="m")).status == 200
    answered = time.monotonic() - began
    wait(lambda: world.upstream.open_streams == 0)
    freed = time.monotonic() - began
    wait(lambda: len(world.lines()) == 201)
    left = [line for line in world.lines() if line.get("error")]
    assert len(left) == 200
    assert {line["error"]["status"] for line in left} == {499}
    told = [line["stepdown"]["partial"]["choices"][0]["message"]["content"] for line in left]
    assert all(text is not None for text in told)
    assert answered <= 1.0
    assert freed <= 2.0
    figure(
        f"200 callers left: the next was answered after {answered:.2f} s, no stream was open after "
        f"{freed:.2f} s, 200 exchanges kept as far as they came"
    )


def test_d10_fifty_under_way(child, world, complete, body, wait, figure):
    """The plan's 100 ms until it refuses are a turn or two of a scheduler that is busy with fifty
    callers' threads; three times that is where it fails."""
    world.upstream.fault = "blackhole"
    gateway = child()
    whole, replies = in_flight(complete, body(), 30)
    streams, streamed = in_flight(complete, body(stream=True), 20)
    wait(lambda: len(world.upstream.seen) == 50)
    kept = socket.create_connection(address(world.url))
    kept.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert b" 200 " in kept.recv(65536)[:20]
    gateway.process.send_signal(signal.SIGTERM)
    began = time.monotonic()

    def refused():
        try:
            socket.create_connection(address(world.url)).close()
        except OSError:
            return True
        return False

    wait(refused)
    closed = time.monotonic() - began
    with kept:
        # Who still has a connection hears 503, or that it is closed.
        try:
            kept.sendall(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n")
            heard = kept.recv(65536)
        except OSError:
            heard = b""
    assert heard == b"" or b" 503 " in heard[:20]
    world.upstream.release.set()
    for thread in whole + streams:
        thread.join()
    assert [reply.status for reply in replies + streamed] == [200] * 50
    assert all(reply.body.endswith(b"data: [DONE]\n\n") for reply in streamed)
    assert gateway.end()[0] == 0
    assert len(list(read_lines(world.path))) == 50
    assert closed <= 0.3
    figure(f"SIGTERM with 50 under way: refusing after {closed * 1000:.0f} ms, 50 finished, 0 lost")


def test_d10_the_second_signal_does_not_wait(child, world, complete, body, wait, figure):
    world.upstream.fault = "blackhole"
    gateway = child(drain=30.0)

    def ask(sent):
        try:
            return complete(sent)
        except (OSError, ValueError, IndexError):
            return None

    threads, _ = in_flight(ask, body(), 5)
    wait(lambda: len(world.upstream.seen) == 5)
    gateway.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    began = time.monotonic()
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.end()[0] == 0
    took = time.monotonic() - began
    for thread in threads:
        thread.join()
    assert took <= 1.0
    assert len(list(read_lines(world.path))) == 5
    figure(f"a second SIGTERM ended it in {took:.2f} s, 5 of 5 exchanges kept")
