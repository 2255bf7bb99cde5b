"""S-10: hundreds of slow senders and readers are let go in time, and nobody waits for them."""

import json
import selectors
import socket
import time
from contextlib import suppress

import pytest
from tests.reliability.processes import Neighbour, gateway_process
from tests.serve.conftest import address
from tests.serve.test_protocol import post

from stepdown.serve.settings import Timeouts
from stepdown.store.sqlite import read_lines

QUICK = Timeouts(header=2.0, body_idle=2.0, body=4.0, write=2.0, keep_alive=3.0)
SLOWEST = 4.0
"""The latest of these deadlines."""


class Slow:
    """So many connections of each kind; `ended` says how long each was held."""

    def __init__(self, url, count, streamed):
        self.address = address(url)
        self.began = time.monotonic()
        self.ended = {}
        self.selector = selectors.DefaultSelector()
        kinds = {
            "silent": b"",
            "half a header": post(b"x: y")[:-2],
            "half a body": post(b"content-length: 100", body=b"{"),
            "drips a header": b"POST /",
            "drips a body": post(b"content-length: 100000"),
            "drips chunks": post(b"transfer-encoding: chunked"),
            "does not read": post(b"content-length: %d" % len(streamed), body=streamed),
        }
        self.held = [
            (kind, self.connected(kind, kinds[kind])) for kind in kinds for _ in range(count)
        ]
        for held in self.held:
            if held[0] != "does not read":
                self.selector.register(held[1], selectors.EVENT_READ, held)

    def connected(self, kind, first):
        made = socket.socket()
        if kind == "does not read":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.connect(self.address)
        made.sendall(first)
        return made

    def hold(self, seconds):
        """Drip and wait until all are closed, or for so long."""
        due = self.began
        awaited = [held for held in self.held if held[0] != "does not read"]
        while len(self.ended) < len(awaited) and time.monotonic() - self.began < seconds:
            if time.monotonic() >= due:
                due += 0.5
                self.drip()
            for key, _ in self.selector.select(0.05):
                self.read(key.data)

    def drip(self):
        for held in self.held:
            kind, connection = held
            if held in self.ended:
                continue
            piece = b"1\r\na\r\n" if kind == "drips chunks" else b"a"
            if kind.startswith("drips"):
                with suppress(OSError):
                    connection.sendall(piece)

    def read(self, held):
        try:
            gone = not held[1].recv(65_536)
        except OSError:
            gone = True
        if gone:
            self.selector.unregister(held[1])
            self.ended[held] = time.monotonic() - self.began

    def close(self):
        self.selector.close()
        for _, connection in self.held:
            connection.close()


def besieged(url, count, body, wait, lines, slowest):
    """Hold so many connections of each kind; return what came of them and of others."""
    streamed = json.dumps(body("hm", stream=True)).encode()
    with Neighbour(address(url)[1], body("hello")) as neighbour:
        before = neighbour.alone()
        slow = Slow(url, count, streamed)
        slow.hold(slowest + 10)
        # Who does not read does not see that it is over either: the capture of its call tells.
        wait(lambda: sum("error" in line for line in lines()) == count, slowest + 30)
        slow.close()
    left = [held[0] for held in slow.held if held not in slow.ended]
    assert set(left) == {"does not read"}
    assert {line["error"]["status"] for line in lines() if "error" in line} == {499}
    assert neighbour.statuses == {200}
    ratio, told = neighbour.told(before)
    assert ratio < 5
    last = max(slow.ended.values())
    return (
        ratio,
        told,
        f"{len(slow.held)} slow connections of 7 kinds, the last gone in {last:.1f} s",
    )


@pytest.mark.reliability
def test_s10_slow_connections_are_let_go_beside_others(start, world, body, wait, figure):
    world.upstream.words = ["x" * 60_000] * 100
    start(timeouts=QUICK)
    ratio, _, said = besieged(world.url, 50, body, wait, world.lines, SLOWEST)
    # The upstream's double shares this process: tails would be its own.
    figure(f"{said} (deadlines of 2 to 4 s); medians of others x{ratio:.2f}")


@pytest.mark.nightly
def test_s10_500_slow_connections_with_the_deadlines_as_they_are(
    tmp_path, upstream, body, wait, figure
):
    upstream.words = ["x" * 60_000] * 100
    with gateway_process(tmp_path / "w", upstream.url) as gateway:
        url = f"http://127.0.0.1:{gateway.port}"
        store = gateway.workspace / "calls.db"

        def lines():
            return [json.loads(line) for line in read_lines(store)]

        _, told, said = besieged(url, 72, body, wait, lines, 65.0)
    figure(f"{said}; {told}")
