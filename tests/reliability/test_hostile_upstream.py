"""S-15: an upstream that sends too much or nonsense is cut off, and fills no memory."""

import gzip
import json
import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from tests.reliability.processes import MB, gateway_process
from tests.serve.conftest import chat_body

from stepdown.store.sqlite import read_lines

HEAD = b"HTTP/1.1 200 OK\r\n"
SSE = HEAD + b"content-type: text/event-stream\r\nconnection: close\r\n\r\n"


def whole(value, *lines):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    head = b"".join(line + b"\r\n" for line in lines)
    yield HEAD + head + b"content-type: application/json\r\n"
    yield b"content-length: %d\r\n\r\n" % len(data) + data


def completion(**more):
    message = {"role": "assistant", "content": "x"}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice], **more}


def bomb(coding):
    data = gzip.compress(bytes(200 * MB), compresslevel=1)
    yield from whole(data, b"content-encoding: " + coding)


def endless_frames():
    yield SSE
    frame = {"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}
    block = (b"data: " + json.dumps(frame).encode() + b"\n\n") * 64
    while True:
        yield block


def long_stream():
    """As long as one may be, and sound to its end."""
    yield SSE
    frame = {"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}
    block = (b"data: " + json.dumps(frame).encode() + b"\n\n") * 64
    for _ in range(15 * MB // len(block)):
        yield block
    yield b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
    yield b"data: [DONE]\n\n"


def endless_line(kind):
    yield SSE if kind == "stream" else HEAD + b"content-type: application/json\r\n\r\n"
    while True:
        yield b"x" * 65_536


def tiny_chunks():
    yield HEAD + b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    for _ in range(100):
        yield b"1\r\n \r\n" * 10_000
    yield b"2\r\n{}\r\n0\r\n\r\n"


def tiny_frames():
    yield SSE
    for _ in range(100):
        yield b"data:\n\n" * 10_000


def header_flood():
    yield HEAD
    for number in range(100_000):
        yield b"x-%d: y\r\n" % number


def long_header():
    yield HEAD + b"x: "
    while True:
        yield b"a" * 65_536


def informal():
    while True:
        yield b"HTTP/1.1 100 Continue\r\n\r\n"


def deep(count):
    arguments = b"[" * count + b"]" * count
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "@"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    said = completion(choices=[{"index": 0, "message": message, "finish_reason": "tool_calls"}])
    return json.dumps(said).encode().replace(b'"@"', arguments)


def used(prompt, completion_tokens):
    usage = {"prompt_tokens": prompt, "completion_tokens": completion_tokens, "total_tokens": 1}
    return completion(usage=usage)


HOSTILE = {
    "gzip bomb": lambda: bomb(b"gzip"),
    "two layers of gzip": lambda: bomb(b"gzip, gzip"),
    "endless frames": endless_frames,
    "15 MB of frames": long_stream,
    "a line without an end": lambda: endless_line("stream"),
    "a body without an end": lambda: endless_line("whole"),
    "a million chunks of a byte": tiny_chunks,
    "a million frames": tiny_frames,
    "100,000 headers": header_flood,
    "a header without an end": long_header,
    "100 Continue without an end": informal,
    "HTML": lambda: whole(b"<html>" + b"<b>" * 100_000),
    "deep arguments": lambda: whole(deep(100_000)),
    "deep body": lambda: whole(b'{"a":' * 200_000),
    "usage below nothing": lambda: whole(used(-(10**9), -1)),
    "usage beyond all": lambda: whole(used(10**15, 10**400)),
    "usage that is none": lambda: whole(used("7", [1])),
    "usage in fractions": lambda: whole(used(1.5, 1e308)),
    "no choices": lambda: whole(completion(choices=[])),
    "choices of another kind": lambda: whole(completion(choices={"a": 1})),
    "cookies": lambda: whole(completion(), b"set-cookie: a=b", b"set-cookie2: c=d"),
    "our own headers": lambda: whole(
        completion(), b"x-stepdown-tier: small", b"location: http://x"
    ),
    "length that is less": lambda: [HEAD + b"content-length: 3\r\n\r\n" + b"x" * 100_000],
    "length that is more": lambda: [HEAD + b"content-length: 10\r\n\r\nx"],
    "length and chunks": lambda: [
        HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    ],
    "two lengths": lambda: [HEAD + b"content-length: 5\r\ncontent-length: 6\r\n\r\nxxxxxx"],
    "a second answer": lambda: [*whole(completion()), *whole(completion(model="smuggled"))],
    "no HTTP": lambda: [b"\x00" * 1000],
    "nothing": lambda: [b""],
    "a status of 999": lambda: [b"HTTP/1.1 999 X\r\ncontent-length: 0\r\n\r\n"],
    "an upgrade": lambda: [b"HTTP/1.1 101 X\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\nxyz"],
}


@contextmanager
def scripted():
    """An upstream on plain sockets that answers by the model that it is asked for."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def answer(connection):
        with connection, suppress(OSError):
            data = b""
            while b'"end of it"' not in data:
                more = connection.recv(65_536)
                if not more:
                    return
                data += more
            asked = json.loads(data.partition(b"\r\n\r\n")[2])
            for part in HOSTILE.get(asked["model"], lambda: whole(completion()))():
                connection.sendall(part)

    def accept():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threads.append(threading.Thread(target=answer, args=(connection,), daemon=True))
                threads[-1].start()

    threads.append(threading.Thread(target=accept, daemon=True))
    threads[0].start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.reliability
def test_s15_a_hostile_upstream_is_cut_off_and_fills_nothing(tmp_path, figure):
    with scripted() as upstream, gateway_process(tmp_path / "w", upstream) as gateway:
        worst, told = ("", 0), {}
        for name in HOSTILE:
            for stream in (False, True):
                began = gateway.forget()
                asked = chat_body("x", model=name, stream=stream, user_="end of it")
                status, data = gateway.post(asked)
                told.setdefault(status, set()).add(name)
                assert status in (200, 502), (name, status, data[:200])
                assert b"smuggled" not in data
                # A sound answer in between keeps the breaker closed.
                assert gateway.post(chat_body("x", model="sound", user_="end of it"))[0] == 200
                grown = gateway.memory("VmHWM") - began
                worst = max(worst, (name, grown), key=lambda one: one[1])
                assert grown < 64 * MB, (name, grown / MB)
        alive, _ = gateway.post(chat_body(), "/v1/route")
        kept = [json.loads(line) for line in read_lines(gateway.workspace / "calls.db")]
    assert alive == 200
    assert len(kept) == 4 * len(HOSTILE)
    assert [line for line in gateway.stderr if "Traceback" in line] == []
    figure(
        f"{len(HOSTILE)} hostile answers, streamed and not: +{worst[1] / MB:.0f} MB at most "
        f"({worst[0]})"
    )
