"""The upstream client on its own: retries, time, and what it says of a failure."""

import asyncio
import socket
import threading
import time
from contextlib import suppress

import pytest

from stepdown.serve.breaker import Breaker
from stepdown.serve.settings import Limits, Timeouts
from stepdown.serve.upstream import Unanswered, Upstream, whole_body

FAST = Timeouts(connect=0.3)


def asked(url, times=1, first_byte_s=1.0, limits=None, breaker=None):
    """Ask some times on one client; returns bodies, and codes of failures."""

    async def go():
        upstream = Upstream(url, limits or Limits(), FAST, breaker)
        await upstream.open()
        found = []
        try:
            for _ in range(times):
                try:
                    async with upstream.answer(
                        "POST", "/chat/completions", [], b"{}", first_byte_s=first_byte_s
                    ) as reached:
                        found.append(await whole_body(reached.response, 10_000, first_byte_s))
                except Unanswered as failure:
                    found.append((failure.status, failure.code))
            return found
        finally:
            await upstream.close()

    return asyncio.run(go())


class Scripted:
    """A TCP server that gives each connection its bytes, and closes it."""

    def __init__(self, *scripts):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.scripts = scripts
        self.connections = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        for script in self.scripts:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                for answer in script:
                    connection.recv(65536)
                    with suppress(OSError):
                        connection.sendall(answer() if callable(answer) else answer)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def test_a_kept_connection_that_was_closed_is_tried_once_more():
    with Scripted([OK, b""], [OK]) as server:
        assert asked(server.url, 2) == [b"{}", b"{}"]
        assert server.connections == 2


def test_a_request_that_is_dropped_twice_is_given_up():
    with Scripted([OK, b""], [b""], [OK]) as server:
        assert asked(server.url, 2) == [b"{}", (502, "upstream_broke_off")]
        assert server.connections == 2


def test_what_a_fresh_connection_drops_is_not_sent_again():
    with Scripted([b""], [OK]) as server:
        assert asked(server.url) == [(502, "upstream_broke_off")]
        assert server.connections == 1


def test_the_second_try_is_counted_and_keeps_to_the_moment():
    async def go(url):
        upstream = Upstream(url, Limits(), FAST)
        await upstream.open()
        codes, began = [], 0.0
        for _ in range(2):
            began = time.monotonic()
            try:
                async with upstream.answer(
                    "POST", "/x", [], b"{}", first_byte_s=60.0, until=began + 1.0
                ) as reached:
                    codes.append(await whole_body(reached.response, 100, 5.0))
            except Unanswered as failure:
                codes.append(failure.code)
        await upstream.close()
        return codes, upstream.retried, time.monotonic() - began

    def late():
        time.sleep(0.8)
        return b""

    with Scripted([OK, late], [lambda: time.sleep(2.0) or OK]) as server:
        codes, retried, seconds = asyncio.run(go(server.url))
    assert (codes, retried) == ([b"{}", "upstream_timeout"], 1)
    assert 0.9 <= seconds < 1.7


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"not http at all\r\n\r\n", "upstream_broke_off"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000 + b"\r\n", "upstream_broke_off"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n", "upstream_broke_off"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", "upstream_broke_off"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 20_000, "upstream_too_long"),
        (b"HTTP/1.1 307 Go\r\nlocation: http://x/\r\n\r\n", "upstream_redirects"),
    ],
    ids=["no http", "many headers", "long header", "short body", "long body", "redirect"],
)
def test_s15_what_is_no_sound_answer(answer, code):
    with Scripted([answer]) as server:
        assert asked(server.url) == [(502, code)]


def test_r2_names_that_do_not_resolve_and_ports_that_refuse():
    for url in ("http://no.such.host.invalid", "http://127.0.0.1:1"):
        assert asked(url) == [(503, "upstream_unavailable")]


def test_r1_nothing_in_time():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert asked(url, first_byte_s=0.1) == [(504, "upstream_timeout")]


def test_r6_an_open_breaker_asks_nobody():
    breaker = Breaker(failures=2)
    found = asked("http://127.0.0.1:1", 4, breaker=breaker)
    assert found == [(503, "upstream_unavailable")] * 4
    assert breaker.open


def test_without_an_address_there_is_no_upstream():
    assert not Upstream(None, Limits(), FAST).configured
    assert Upstream("http://h", Limits(), FAST).address == "http://h/v1"


def test_reachability():
    async def look(url):
        return await Upstream(url, Limits(), FAST).unreachable()

    with socket.create_server(("127.0.0.1", 0)) as there:
        assert asyncio.run(look(f"http://127.0.0.1:{there.getsockname()[1]}")) == ""
    assert "does not answer" in asyncio.run(look("http://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("status", "opens"), [(500, True), (503, True), (429, False), (400, False)]
)
def test_r3_a_storm_of_5xx_opens_the_breaker_and_one_of_429_does_not(upstream, status, opens):
    upstream.fault = f"status:{status}"
    breaker = Breaker()
    found = asked(upstream.url, 7, breaker=breaker)
    assert breaker.open == opens
    assert len(upstream.seen) == (5 if opens else 7)
    assert found.count((503, "upstream_unavailable")) == 7 - len(upstream.seen)
