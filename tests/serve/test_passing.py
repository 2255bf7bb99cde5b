"""Paths that nobody here knows: passed through to the byte, and captured nowhere."""

import json

import pytest
from tests.serve.conftest import SYSTEM

USER = {"role": "user", "content": "hm"}


def test_other_paths_are_relayed_byte_for_byte(start, world, ask):
    start()
    sent = b'{"input":  "x"}'
    reply = ask("POST", "/v1/embeddings?a=%20b", sent, {"content-type": "application/json"})
    assert reply.json()["path"] == "/v1/embeddings"
    method, path, headers, body = world.upstream.seen[0]
    assert (method, path, body) == ("POST", "/v1/embeddings?a=%20b", sent)
    assert headers["Content-Type"] == "application/json"
    for method, path in (("GET", "/v1/files/a%2Fb"), ("DELETE", "/v1/files/x")):
        assert ask(method, path).status == 200
        assert world.upstream.seen[-1][:2] == (method, path)
    assert ask("POST", "/embeddings", sent).json()["path"] == "/v1/embeddings"
    world.upstream.fault = "status:418"
    assert ask("POST", "/v1/moderations", sent).status == 418
    world.upstream.fault = "cut:0"
    assert ask("POST", "/v1/moderations", sent).status in (200, 502)
    assert world.lines() == []


def test_a_stream_that_passes_through_ends_where_it_breaks(start, world, ask):
    start()
    world.upstream.fault = "ends:2"
    reply = ask("POST", "/v1/completions", b'{"stream": true}')
    assert reply.status == 200
    world.upstream.fault = "blackhole"
    slow = ask("POST", "/v1/completions", b"{}")
    assert (slow.status, slow.json()["error"]["code"]) == (504, "upstream_timeout")
    assert slow.headers["x-should-retry"] == "false"


def test_without_an_upstream_it_says_what_is_missing(start, ask):
    start(base_url=None)
    reply = ask("POST", "/v1/embeddings", b"{}")
    assert (reply.status, reply.json()["error"]["code"]) == (503, "no_upstream")


COUNTS = [
    ("/v1/messages/count_tokens", {"system": SYSTEM, "messages": [USER]}),
    ("/v1/responses/input_tokens", {"instructions": SYSTEM, "input": "hm"}),
]


@pytest.mark.parametrize(("path", "asked"), COUNTS)
def test_tokens_are_counted_for_a_real_model(start, world, ask, path, asked):
    start()
    tail = json.dumps(asked).replace('"hm"', '"h\\u006d"')[1:].encode()

    def sent(model, headers=None):
        reply = ask("POST", path, b'{"model": "%b", ' % model + tail, headers)
        return reply, world.upstream.seen[-1][3]

    reply, body = sent(b"stepdown/intents")
    assert (reply.status, reply.headers["x-stepdown-model"]) == (200, "gpt-taught")
    assert json.loads(body) == {"model": "gpt-taught", **asked}
    assert b'"h\\u006d"' in body
    # Recognised, as the call would be, or named beside the body.
    assert json.loads(sent(b"auto")[1])["model"] == "gpt-taught"
    task = {"x-stepdown-task": "intents"}
    assert json.loads(sent(b"auto", task)[1])["model"] == "gpt-taught"
    assert sent(b"gpt-4o")[1] == b'{"model": "gpt-4o", ' + tail
    assert ask("POST", path, b"{").status == 200
    assert world.upstream.seen[-1][3] == b"{"


@pytest.mark.parametrize(("path", "asked"), COUNTS)
def test_tokens_are_counted_for_the_configured_model(start, world, ask, path, asked):
    start(frontier_model="gpt-best")
    for name in ("auto", "stepdown/intents"):
        assert ask("POST", path, {"model": name, **asked}).status == 200
        assert json.loads(world.upstream.seen[-1][3]) == {"model": "gpt-best", **asked}


def test_tokens_of_no_known_model_are_not_counted(start, world, ask):
    start()
    unknown = {"model": "auto", "messages": [USER]}
    reply = ask("POST", "/v1/messages/count_tokens", unknown)
    assert (reply.status, reply.json()["type"]) == (400, "error")
    assert "[tiers.frontier] model" in reply.json()["error"]["message"]
    reply = ask("POST", "/v1/responses/input_tokens", {"model": "stepdown/none", "input": "x"})
    assert (reply.status, reply.json()["error"]["code"]) == (404, "model_not_found")
    assert world.upstream.seen == []
