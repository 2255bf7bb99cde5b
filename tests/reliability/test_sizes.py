"""S-9: whatever a caller sends too much of is answered or cut at once, and others notice little."""

import gzip
import json
import socket
import time
from contextlib import suppress

import pytest
from tests.reliability.processes import MB, Neighbour, gateway_process
from tests.serve.conftest import chat_body
from tests.serve.test_protocol import post, statuses


def repeated(part, count):
    for _ in range(count):
        yield part


def headers(size):
    yield post(b"x: a")[:-4]
    yield from repeated(b"a" * 65_536, size // 65_536)


def many_headers():
    yield post()[:-2]
    yield b"".join(b"x%d: y\r\n" % number for number in range(10_000)) + b"\r\n"


def with_length(size):
    yield post(b"content-length: %d" % size)
    yield from repeated(b"a" * 65_536, size // 65_536)


def chunked(size):
    yield post(b"transfer-encoding: chunked")
    yield from repeated(b"10000\r\n" + b"a" * 65_536 + b"\r\n", size // 65_536)


def one_byte_chunks(count):
    yield post(b"transfer-encoding: chunked")
    yield from repeated(b"1\r\na\r\n" * 10_000, count // 10_000)


def trailers():
    yield post(b"transfer-encoding: chunked", body=b"2\r\n{}\r\n0\r\nx: ")
    yield from repeated(b"a" * 65_536, 100)


def packed(coding):
    data = gzip.compress(bytes(100 * MB), compresslevel=1)
    yield post(b"content-encoding: " + coding, b"content-length: %d" % len(data), body=data)


ATTACKS = {
    "header of 33 KB": (lambda: headers(33_000 + 65_536), 431),
    "header of 1 MB": (lambda: headers(MB), 431),
    "header of 200 MB": (lambda: headers(200 * MB), 431),
    "10,000 headers": (many_headers, 431),
    "body of 200 MB by its length": (lambda: with_length(200 * MB), 413),
    "body of 200 MB in chunks": (lambda: chunked(200 * MB), 413),
    "a million chunks of a byte": (lambda: one_byte_chunks(1_000_000), 413),
    "trailer without an end": (trailers, 431),
    "gzip": (lambda: packed(b"gzip"), 415),
    "br": (lambda: packed(b"br"), 415),
    "zstd": (lambda: packed(b"zstd"), 415),
    "two codings": (lambda: packed(b"gzip, gzip"), 415),
}


def sent(port, parts):
    """Send until it is answered or cut off; return the answer and how long that took."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        came = b""
        began = time.monotonic()
        # Cut off while sending: the answer may be there all the same.
        with suppress(OSError):
            for part in parts:
                connection.sendall(part)
        with suppress(OSError):
            while data := connection.recv(65_536):
                came += data
        return came, time.monotonic() - began


@pytest.mark.reliability
def test_s9_sizes_are_refused_beside_others(tmp_path, figure):
    with (
        gateway_process(tmp_path / "w") as gateway,
        Neighbour(gateway.port, chat_body()) as neighbour,
    ):
        before = neighbour.alone()
        began = gateway.forget()
        slowest = 0.0
        for name, (attack, status) in ATTACKS.items():
            came, seconds = sent(gateway.port, attack())
            # What is cut off in the midst of sending may lose the answer: a reset overtakes it.
            assert statuses(came) in ([status], []), name
            if came:
                told = json.loads(came.partition(b"\r\n\r\n")[2])
                assert told["error"]["type"] == "stepdown_error", name
            slowest = max(slowest, seconds)
        grown = gateway.memory("VmHWM") - began
    assert neighbour.statuses == {200}
    ratio, told = neighbour.told(before)
    # Answered at once; the rest of the second is for reading the answer before the close.
    assert slowest < 5.0
    assert grown < 32 * MB
    assert ratio < 4
    figure(
        f"{len(ATTACKS)} attacks, none longer than {slowest:.1f} s, +{grown / MB:.0f} MB; {told}"
    )
