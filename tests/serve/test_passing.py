"""Paths that nobody here knows: passed through to the byte, and captured nowhere."""

import asyncio
import json
import time

import pytest
from aiohttp import web
from tests.serve.conftest import SYSTEM

from stepdown.serve.settings import Endpoint, Timeouts

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


def test_a_stream_that_passes_through_is_told_to_flow(start, world, ask):
    start()
    world.upstream.fault = "malformed"
    reply = ask("POST", "/v1/completions", b'{"stream": true}')
    assert reply.status == 200
    assert reply.headers["x-accel-buffering"] == "no"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.body.endswith(b"data: [DONE]\n\n")
    assert b"data: {nonsense\n\n" in reply.body
    world.upstream.fault = ""
    plain = ask("POST", "/v1/completions", b"{}")
    assert not {"x-accel-buffering", "cache-control"} & plain.headers.keys()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("cut:2", "upstream_broke_off"),
        ("stall:2", "upstream_stalled"),
        ("endless", "upstream_too_long"),
    ],
)
def test_r5_a_stream_that_passes_through_and_breaks_off_says_so(start, world, ask, fault, code):
    start(timeouts=Timeouts(idle=0.3))
    world.upstream.fault = fault
    reply = ask("POST", "/v1/completions", b'{"stream": true}')
    assert reply.status == 200
    *events, last, rest = reply.body.split(b"\n\n")
    assert rest == b""
    assert json.loads(last.strip().removeprefix(b"data: "))["error"]["code"] == code
    assert b"[DONE]" not in reply.body
    assert events
    assert all(json.loads(event.removeprefix(b"data: ")) is not None for event in events)


async def lingers(request, body, argument):
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: {}\n\ndata: [DONE]\n\n")
    await asyncio.sleep(float(argument))
    request.transport.abort()
    return response


@pytest.mark.parametrize("seconds", ["0.05", "3"])
def test_r5_a_stream_that_passes_through_has_ended_with_done(start, world, ask, seconds):
    start(timeouts=Timeouts(idle=1.0))
    world.upstream._lingers = lingers
    world.upstream.fault = f"lingers:{seconds}"
    began = time.monotonic()
    reply = ask("POST", "/v1/completions", b'{"stream": true}')
    assert reply.body == b"data: {}\n\ndata: [DONE]\n\n"
    assert time.monotonic() - began < 0.9


def test_what_is_not_there_in_time(start, world, ask):
    start()
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


def test_s2_only_a_model_that_answered_makes_a_key_known(start, complete, body, ask):
    start(host="0.0.0.0")
    key = {"authorization": "Bearer invented"}
    assert ask("GET", "/v1/files", headers=key).status == 200
    assert ask("GET", "/v1/models", headers=key).status == 200
    assert complete(body(), key).decision() == ("relayed", "forced")
    assert complete(body(), key).decision() == ("answered", "confident")


CLAUDES = [
    {"x-api-key": "sk-ant-mine"},
    {"x-api-key": "sk-ant-mine", "anthropic-version": "2023-06-01"},
    {"authorization": "Bearer sk-ant-mine", "anthropic-version": "2023-06-01"},
]


@pytest.mark.parametrize("headers", CLAUDES)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/m", "/v1/files"])
def test_s4_a_key_for_anthropic_goes_to_its_address_alone(start, world, ask, tiers, headers, path):
    anthropic, _ = tiers
    start(messages=Endpoint(anthropic.url))
    assert ask("GET", path, headers=headers).status == 200
    assert "sk-ant-mine" in str(anthropic.seen)
    assert ask("GET", path, headers={"authorization": "Bearer sk-mine"}).status == 200
    assert len(anthropic.seen) == 1
    assert "sk-mine" in str(world.upstream.seen)
    assert "sk-ant-mine" not in str(world.upstream.seen)


def test_s5_a_key_for_anthropic_goes_to_no_other_maker_with_a_chat_call(
    start, world, ask, complete, body, tiers
):
    anthropic, _ = tiers
    start(messages=Endpoint(anthropic.url))
    for more in ({}, {"authorization": "Bearer sk-mine"}):
        assert complete(body("hm"), {"x-api-key": "ant-mine", **more}).status == 200
    assert "ant-mine" not in str(world.upstream.seen)
    assert "sk-mine" in str(world.upstream.seen[1])
    # Where it is the one address, it is the caller's word.
    world.stop()
    start()
    complete(body("hm"), {"x-api-key": "ant-mine"})
    assert "ant-mine" in str(world.upstream.seen[2])
