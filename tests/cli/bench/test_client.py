"""The client of the benchmarks: it times to the end of an answer, and to a stream's first event."""

import json

import pytest

from stepdown.cli.bench.client import Client, request_bytes
from stepdown.cli.bench.gateway.upstream import model_behind
from stepdown.errors import Refusal


def test_a_request_is_whole():
    head, _, body = request_bytes(b"{}", "/v1/route").partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/route HTTP/1.1\r\n")
    assert b"content-length: 2" in head
    assert body == b"{}"


def test_answers_and_streams_follow_each_other_on_one_connection():
    stream = json.dumps({"stream": True}).encode()
    with model_behind() as url, Client(url, stream) as client:
        for _ in range(3):
            first, whole = client.stream()
            assert 0 < first <= whole
            took, head = client.post()
            assert took > 0
            assert head.startswith(b"http/1.1 200")


def test_a_server_that_leaves_is_told():
    with model_behind() as url:
        client = Client(url, b"{}")
    with client, pytest.raises((Refusal, OSError)):
        client.post()
        client.post()
