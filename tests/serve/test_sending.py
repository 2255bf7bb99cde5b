"""A response's head waits for its body, and for nothing else; what is no HTTP is refused."""

import asyncio
import gc
import json
from types import SimpleNamespace

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from stepdown.serve.sending import Sending

SIZED = [(b"content-length", b"2")]
DATE = (b"date", b"today")


class Wire(asyncio.Transport):
    """Keeps each write apart."""

    def __init__(self):
        super().__init__()
        self.writes = []
        self.closed = False

    def write(self, data):
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed


def begin(headers=(), status=200):
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def part(body, more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


PAUSE = None


def sent(*messages, method="POST", keep_alive=True, close=False, version="1.1"):
    """Return (writes, cycle, wire) of a response of these messages; PAUSE ends a turn."""

    async def run():
        wire = Wire()
        cycle = SimpleNamespace(
            flow=SimpleNamespace(write_paused=False),
            disconnected=False,
            response_started=False,
            response_complete=False,
            waiting_for_100_continue=True,
            default_headers=[DATE],
            keep_alive=keep_alive,
            scope={"method": method, "http_version": version},
            message_event=asyncio.Event(),
            on_response=lambda: cycle.__dict__.update(told=True),
        )
        sending = Sending(cycle, wire, asyncio.get_running_loop())
        for message in messages:
            if message is PAUSE:
                await asyncio.sleep(0)
            else:
                await sending.send(message)
        if close:
            sending.close()
        return wire.writes, cycle, wire

    return asyncio.run(run())


HEAD = b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 2\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ndate: today\r\ntransfer-encoding: chunked\r\n\r\n"


def test_head_and_body_are_one_write():
    writes, cycle, _ = sent(begin(SIZED), part(b"{}"))
    assert writes == [HEAD + b"{}"]
    assert cycle.response_started
    assert cycle.response_complete
    assert cycle.told
    assert cycle.message_event.is_set()


def test_a_head_alone_goes_out_in_the_next_turn():
    writes, cycle, _ = sent(begin(), PAUSE, part(b"data: 1", more=True))
    assert writes == [CHUNKED, b"7\r\ndata: 1\r\n"]
    assert not cycle.response_complete


def test_what_follows_is_never_held_back():
    writes, _, _ = sent(begin(), part(b"1", more=True), part(b"2", more=True), PAUSE, part(b""))
    assert writes == [CHUNKED + b"1\r\n1\r\n", b"1\r\n2\r\n", b"0\r\n\r\n"]


def test_closing_loses_nothing():
    writes, _, wire = sent(begin(SIZED), close=True)
    assert writes == [HEAD]
    assert wire.closed


def test_a_head_says_how_long_its_body_would_be():
    assert sent(begin(SIZED), part(b"{}"), method="HEAD")[0] == [HEAD]
    nothing = b"HTTP/1.1 204 No Content\r\ndate: today\r\n\r\n"
    assert sent(begin(status=204), part(b""))[0] == [nothing]


@pytest.mark.parametrize("keep_alive", [True, False])
def test_http_1_0_gets_no_chunks(keep_alive):
    parts = (part(b"data: 1", more=True), part(b"data: 2", more=True), part(b""))
    writes, cycle, wire = sent(begin(), PAUSE, *parts, keep_alive=keep_alive, version="1.0")
    head = b"HTTP/1.1 200 OK\r\ndate: today\r\nconnection: close\r\n\r\n"
    assert writes == [head, b"data: 1", b"data: 2"]
    assert wire.closed
    assert cycle.response_complete
    assert sent(begin(SIZED), part(b"{}"), version="1.0")[0] == [HEAD + b"{}"]


@pytest.mark.parametrize("upgrade", [b"", b"upgrade: h2c\r\n"])
def test_a_stream_to_http_1_0_ends_with_its_connection(start, world, raw, body, upgrade):
    start()
    asked = json.dumps(body("hm", stream=True)).encode()
    head = b"POST /v1/chat/completions HTTP/1.0\r\ncontent-length: %d\r\nconnection: %b\r\n%b\r\n"
    connection = b"keep-alive, upgrade" if upgrade else b"keep-alive"
    head, _, said = raw(head % (len(asked), connection, upgrade) + asked).partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"\r\nconnection: close" in head
    assert (said[:6], said[-16:]) == (b"data: ", b"\n\ndata: [DONE]\n\n")


@pytest.mark.parametrize("said", [True, False])
def test_the_connection_is_closed_where_that_is_asked_for(said):
    headers = [*SIZED, (b"connection", b"close")] if said else SIZED
    writes, _, wire = sent(begin(headers), part(b"{}"), keep_alive=said)
    assert writes[0].count(b"connection: close\r\n") >= 1
    assert wire.closed


@pytest.mark.parametrize(
    "value", [b"a\r\nset-cookie: x", b"a\nb", b"a\rb", b"a\0b", b"a\r\n", b"\n\r"]
)
def test_s8_no_header_ends_its_line(value):
    with pytest.raises(RuntimeError):
        sent(begin([*SIZED, (b"x", value)]))
    with pytest.raises(RuntimeError):
        sent(begin([*SIZED, (value, b"x")]))


@pytest.mark.parametrize("body", [b"", b"{", b"{}}"])
def test_a_body_is_as_long_as_was_said(body):
    with pytest.raises(RuntimeError):
        sent(begin(SIZED), part(body))


def test_nothing_comes_twice_or_out_of_order():
    for messages in ([part(b"")], [begin(SIZED), begin(SIZED)]):
        with pytest.raises(RuntimeError):
            sent(*messages)
    with pytest.raises(RuntimeError):
        sent(begin(SIZED), part(b"{}"), part(b""))


def test_a_finished_response_is_freed_at_once(start, complete, body):
    start()
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            complete(body())
        # `isinstance` would ask each object for its class, and some proxies warn when asked
        alive = [one for one in gc.get_objects() if type(one) is RequestResponseCycle]
    finally:
        gc.enable()
    assert len(alive) <= 1  # its connection's last


def test_a_caller_who_left_gets_nothing():
    async def run():
        wire = Wire()
        cycle = SimpleNamespace(flow=SimpleNamespace(write_paused=False), disconnected=True)
        await Sending(cycle, wire, asyncio.get_running_loop()).send(begin())
        return wire.writes

    assert asyncio.run(run()) == []
