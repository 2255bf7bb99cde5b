"""S-8, S-9, S-10: raw sockets against the parser, the limits and the deadlines."""

import gzip
import json
import socket
import threading
import time

import pytest

from stepdown.serve.settings import Limits, Timeouts

PATH = b"/v1/chat/completions"
QUICK = Timeouts(header=0.4, body_idle=0.4, body=0.8, write=0.4, keep_alive=1.0)


def post(*headers, body=b"", host=b"host: x\r\n"):
    return b"POST %b HTTP/1.1\r\n%b%b\r\n%b" % (
        PATH,
        host,
        b"".join(line + b"\r\n" for line in headers),
        body,
    )


def statuses(data):
    return [int(part[:3]) for part in data.split(b"HTTP/1.1 ")[1:]]


SMUGGLED = {
    "length and chunks": post(
        b"content-length: 6", b"transfer-encoding: chunked", body=b"0\r\n\r\nX"
    ),
    "chunks and length": post(
        b"transfer-encoding: chunked", b"content-length: 6", body=b"0\r\n\r\nX"
    ),
    "two lengths": post(b"content-length: 5", b"content-length: 6", body=b"hello!"),
    "negative length": post(b"content-length: -1"),
    "length with plus": post(b"content-length: +5", body=b"hello"),
    "length in hex": post(b"content-length: 0x5", body=b"hello"),
    "huge length": post(b"content-length: 99999999999999999999999"),
    "list of lengths": post(b"content-length: 5, 5", body=b"hello"),
    "odd coding": post(b"transfer-encoding: xchunked", body=b"0\r\n\r\n"),
    "chunked not last": post(b"transfer-encoding: chunked, identity", body=b"0\r\n\r\n"),
    "vertical tab in coding": post(b"transfer-encoding:\x0bchunked", body=b"0\r\n\r\n"),
    "folded header": post(b"x: a\r\n b: c"),
    "space before colon": post(b"content-length : 5", body=b"hello"),
    "no colon": post(b"nonsense"),
    "empty name": post(b": x"),
    "NUL in value": post(b"x: a\x00b"),
    "bare LF in headers": b"POST %b HTTP/1.1\nhost: x\n\n" % PATH,
    "bad chunk size": post(b"transfer-encoding: chunked", body=b"zz\r\nx\r\n0\r\n\r\n"),
    "bad chunk end": post(b"transfer-encoding: chunked", body=b"1\r\nxx0\r\n\r\n"),
    "chunk size overflow": post(b"transfer-encoding: chunked", body=b"f" * 17 + b"\r\nx"),
    "no host": post(b"content-length: 2", body=b"{}", host=b""),
    "two hosts": post(b"host: y", b"content-length: 2", body=b"{}"),
    "bad version": b"GET / HTTP/9.9\r\nhost: x\r\n\r\n",
    "bad method": b"G@T / HTTP/1.1\r\nhost: x\r\n\r\n",
    "connect": b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
    "not http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "bytes in target": b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
}


def test_s8_no_request_is_smuggled_past_the_parser(start, world, raw):
    start(timeouts=QUICK)
    for name, sent in SMUGGLED.items():
        found = raw(sent + post(b"content-length: 2", body=b"{}"))
        assert statuses(found) == [400], name
        assert json.loads(found.partition(b"\r\n\r\n")[2])["error"]["type"] == "stepdown_error"
    assert world.student.asked == 0
    assert world.upstream.seen == []


def test_s9_large_headers(start, raw):
    start()
    for sent in (
        post(b"x: " + b"a" * 33_000),
        post(b"x: " + b"a" * 1_000_000),
        post(*(b"x%d: y" % i for i in range(150))),
        post(*(b"x%d: y" % i for i in range(10_000))),
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
    ):
        assert statuses(raw(sent)) == [431]
    assert statuses(raw(b"POST ", b"/" + b"a" * 200_000, timeout=5)) == [431]


def test_s9_a_header_that_never_ends_is_not_hoarded(start, raw):
    start()
    assert statuses(raw(post(b"x: a")[:-4], *[b"a" * 2000] * 40)) == [431]
    trailer = post(b"transfer-encoding: chunked", body=b"2\r\n{}\r\n0\r\nx: ")
    assert statuses(raw(trailer, *[b"a" * 2000] * 40)) == [431]


def test_s9_large_bodies(start, world, raw, body, complete):
    start(limits=Limits(body_bytes=100_000))
    assert complete(body("x" * 90_000)).status == 200
    reply = complete(body("x" * 10_000_000))
    assert (reply.status, reply.json()["error"]["code"]) == (413, "body_too_large")
    chunk = b"%x\r\n%b\r\n" % (60_000, b"x" * 60_000)
    assert statuses(raw(post(b"transfer-encoding: chunked"), chunk, chunk, chunk)) == [413]
    assert statuses(raw(post(b"content-length: 100001", b"expect: 100-continue"))) == [413]
    assert len(world.upstream.seen) == 1


def test_s9_one_byte_chunks(start, raw, body):
    start()
    sent = json.dumps(body()).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in sent)
    whole = post(b"transfer-encoding: chunked", b"connection: close")
    assert statuses(raw(whole + chunks + b"0\r\n\r\n")) == [200]


def test_s9_compressed_requests(start, complete, body):
    start()
    for coding in ("gzip", "br", "zstd", "deflate"):
        reply = complete(gzip.compress(b"{}"), {"content-encoding": coding})
        assert (reply.status, reply.json()["error"]["code"]) == (415, "unsupported_encoding")
    assert complete(body(), {"content-encoding": "identity"}).status == 200


@pytest.mark.parametrize(
    "parts",
    [
        (post(b"x: y")[:-2],),
        (b"POST /", *[b"a"] * 12),
        (post(b"content-length: 10", body=b"12345"),),
        (post(b"content-length: 100"), *[b"1"] * 14),
        (post(b"transfer-encoding: chunked", body=b"5\r\n12"),),
        (b"\r\n", *[b"\r\n"] * 12),
    ],
    ids=["half a header", "header drips", "half a body", "body drips", "half a chunk", "newlines"],
)
def test_s10_slow_senders_are_let_go(start, raw, parts):
    start(timeouts=QUICK)
    received = raw(*parts, pause=0.1)
    assert statuses(received) == [408]
    assert b"x-should-retry" not in received


def test_s10_a_silent_connection_is_closed(start, raw):
    start(timeouts=QUICK)
    assert raw() == b""


def test_s10_an_idle_kept_connection_is_closed_even_after_stray_bytes(start, raw, body):
    start(timeouts=QUICK)
    sent = json.dumps(body()).encode()
    whole = post(b"content-length: %d" % len(sent), body=sent)
    assert statuses(raw(whole)) == [200]
    assert statuses(raw(whole, b"\r\n", pause=0.2)) == [200]


def test_requests_on_one_connection_are_answered_in_order(start, raw, body):
    start(timeouts=QUICK)
    first, second = (json.dumps(body(user)).encode() for user in ("hm", "hello"))
    pipelined = b"".join(
        post(b"content-length: %d" % len(sent), body=sent) for sent in (first, second, first)
    )
    found = raw(pipelined)
    assert statuses(found) == [200, 200, 200]
    assert found.index(b"escalated") < found.index(b"answered") < found.rindex(b"escalated")


def test_s10_a_caller_who_does_not_read_is_let_go(start, world, body, wait):
    world.upstream.words = ["x" * 60_000] * 200
    start(timeouts=QUICK)
    host, port = world.url.removeprefix("http://").split(":")
    sent = json.dumps(body("hm", stream=True)).encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((host, int(port)))
        connection.sendall(post(b"content-length: %d" % len(sent), body=sent))
        wait(lambda: len(world.lines()) == 1)
    assert world.lines()[0]["error"]["status"] == 499


@pytest.mark.parametrize("path", ["/v1/messages", "/messages", "/v1/messages/count_tokens"])
def test_a_refusal_is_in_the_dialect_of_its_path(start, ask, path):
    start(limits=Limits(body_bytes=100, header_bytes=500))
    large = ask("POST", path, b"x" * 101)
    assert (large.status, large.json()["error"]["type"]) == (413, "request_too_large")
    assert large.json()["type"] == "error"
    wide = ask("POST", path, b"{}", {"x-a": "y" * 600})
    assert (wide.status, wide.json()["type"]) == (431, "error")
    assert ask("POST", "/v1/responses", b"x" * 101).json()["error"]["code"] == "body_too_large"


REFUSED = {
    "request_timeout": (408, [post(b"content-length: 9")]),
    "body_too_large": (413, [post(b"content-length: 100001")]),
    "too_many_parts": (413, [post(b"transfer-encoding: chunked"), b"1\r\nx\r\n" * 9]),
    "unsupported_encoding": (415, [post(b"content-encoding: gzip", b"content-length: 1")]),
    "headers_too_large": (431, [post(b"x: " + b"a" * 33_000)]),
    "bad_request": (400, [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]),
}


def test_o1_what_the_protocol_refuses_is_logged_and_counted(start, raw, ask, tmp_path, world):
    limits = Limits(body_bytes=100_000, body_parts=5)
    start(access_log=str(tmp_path / "log"), timeouts=QUICK, limits=limits)
    ids = []
    for code, (status, sent) in REFUSED.items():
        found = raw(*sent, pause=0.1)
        assert statuses(found) == [status], code
        head = dict(line.split(b": ") for line in found.split(b"\r\n\r\n")[0].split(b"\r\n")[1:])
        assert head[b"x-request-id"] == head[b"x-stepdown-request-id"]
        assert head[b"x-stepdown-decision"] == b"refused"
        assert head[b"x-stepdown-reason"] == code.encode()
        ids.append(head[b"x-request-id"].decode())
    page = ask("GET", "/metrics").body.decode()
    world.stop()
    lines = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    told = [(line["id"], line["problem"], line["status"]) for line in lines[:-1]]
    assert told == [
        (request_id, code, status)
        for request_id, (code, (status, _)) in zip(ids, REFUSED.items(), strict=True)
    ]
    assert {(line["decision"], line["tier"]) for line in lines[:-1]} == {("refused", None)}
    assert [line["path"] for line in lines[:-1]] == [PATH.decode()] * 5 + [""]
    for code, (status, _) in REFUSED.items():
        labels = f'decision="refused",reason="{code}",status="{status}",task="",tier="none"'
        assert f"stepdown_requests_total{{{labels}}} 1.0" in page
    assert "stepdown_requests_under_way 1.0" in page


def test_a_refused_message_has_its_id_where_its_clients_look(start, raw):
    start(limits=Limits(body_bytes=1000))
    sent = post(b"content-length: 100001").replace(PATH, b"/v1/messages")
    head, _, body = raw(sent).partition(b"\r\n\r\n")
    request_id = json.loads(body)["request_id"]
    assert f"\r\nrequest-id: {request_id}\r\n".encode() in head


def test_r7_too_many_connections(start, world, raw, complete, body):
    start(limits=Limits(connections=3))
    host, port = world.url.removeprefix("http://").split(":")
    held = [socket.create_connection((host, int(port))) for _ in range(3)]
    time.sleep(0.2)
    try:
        reply = complete(body())
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    finally:
        for connection in held:
            connection.close()
    time.sleep(0.2)
    assert complete(body()).status == 200


@pytest.mark.nightly
def test_s10_hundreds_of_slow_connections_do_not_hold_up_others(start, world, body, complete):
    start()
    host, port = world.url.removeprefix("http://").split(":")
    held = [socket.create_connection((host, int(port))) for _ in range(500)]
    stop = threading.Event()

    def drip():
        while not stop.wait(0.5):
            for connection in held:
                try:
                    connection.sendall(b"P")
                except OSError:
                    continue

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        for _ in range(200):
            assert complete(body()).status == 200
    finally:
        stop.set()
        thread.join()
        for connection in held:
            connection.close()
