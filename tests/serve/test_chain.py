"""Chains: who is asked when an upstream gives no usable answer, with which key, model and time."""

import json
import socket
import threading
import time
from contextlib import closing

import msgspec
import pytest
from aiohttp import web
from tests.serve.conftest import FakeUpstream

from stepdown.serve.chain import chains_of, held_back, renamed, usable
from stepdown.serve.settings import Endpoint, Limits, Settings, Timeouts

HASTY = Timeouts(first_byte=0.3, answer=0.3, idle=0.3, connect=0.3, poll=0.05)


@pytest.fixture
def standby():
    with closing(FakeUpstream()) as made:
        made.words = ["from", "the", "second"]
        yield made
        made.release.set()


@pytest.fixture
def chained(start, standby):
    """A gateway with one fall-back; chained(model=…) is the model asked for there."""

    def go(model=None, **settings):
        fallback = Endpoint(standby.url, "sk-second", model)
        given = {"timeouts": HASTY, "retries": 0, **settings}
        return start(fallbacks=(fallback,), **given)

    return go


def text(reply):
    if reply.headers["content-type"].startswith("text/event-stream"):
        frames = [line[6:] for line in reply.body.decode().split("\n") if line[:6] == "data: "]
        deltas = [json.loads(f)["choices"][0]["delta"] for f in frames if f != "[DONE]"]
        return "".join(delta.get("content", "") for delta in deltas).strip()
    return reply.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "fault",
    ["status:500", "status:429", "status:503", "status:529", "status:408", "blackhole", "redirect"],
)
def test_r1_the_next_is_asked_where_there_is_no_usable_answer(
    chained, world, complete, body, fault, stream
):
    world.upstream.fault = fault
    chained()
    reply = complete(body("hm", stream=stream))
    assert (reply.status, text(reply)) == (200, "from the second")
    assert reply.headers["x-stepdown-tier"] == "frontier"
    (line,) = world.lines()
    assert line["response"]["choices"][0]["message"]["content"].strip() == "from the second"


@pytest.mark.parametrize("fault", ["stall:0", "ends:0"])
def test_r4_a_stream_that_never_begins_falls_over_to_one_clean_answer(
    chained, world, standby, complete, body, fault
):
    world.upstream.fault = fault
    chained()
    reply = complete(body("hm", stream=True))
    assert (reply.status, text(reply)) == (200, "from the second")
    assert reply.body.count(b"[DONE]") == 1
    assert b"error" not in reply.body
    assert len(standby.seen) == 1


@pytest.mark.parametrize("fault", ["stall:1", "cut:1", "ends:2"])
def test_r4_after_the_first_byte_nobody_else_is_asked(
    chained, world, standby, complete, body, fault
):
    world.upstream.fault = fault
    chained()
    reply = complete(body("hm", stream=True))
    assert reply.status == 200
    assert b'"error"' in reply.body
    assert b"[DONE]" not in reply.body
    assert standby.seen == []


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.mark.parametrize("address", ["http://127.0.0.1:{}", "http://no.such.host.invalid:{}"])
def test_r2_nobody_there_is_no_wait(chained, complete, body, address):
    chained(base_url=address.format(free_port()))
    began = time.monotonic()
    assert text(complete(body("hm"))) == "from the second"
    assert time.monotonic() - began < 2.5


def test_r6_an_upstream_that_is_held_back_costs_no_time(chained, world, complete, body):
    world.upstream.fault = "blackhole"
    chained()
    for _ in range(5):
        assert complete(body("hm")).status == 200
    asked = len(world.upstream.seen)
    began = time.monotonic()
    for _ in range(3):
        assert text(complete(body("hm"))) == "from the second"
    assert time.monotonic() - began < 0.3 * 3
    assert len(world.upstream.seen) == asked


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_what_is_wrong_with_the_request_is_wrong_everywhere(
    chained, world, standby, complete, body, status
):
    world.upstream.fault = f"status:{status}"
    chained()
    assert complete(body("hm")).status == status
    assert standby.seen == []


def test_s5_each_gets_its_own_key_and_no_other(chained, world, standby, complete, body):
    world.upstream.fault = "status:500"
    chained(model="other-1")
    sent = {"authorization": "Bearer sk-caller", "x-api-key": "sk-caller"}
    reply = complete(body("hm", seed=7), sent)
    assert reply.headers["x-stepdown-model"] == "other-1-2026"
    ((_, _, headers, asked),) = standby.seen
    assert headers["Authorization"] == "Bearer sk-second"
    assert "sk-caller" not in str(headers)
    assert "sk-second" not in str(world.upstream.seen)
    assert json.loads(asked) == {**body("hm", seed=7), "model": "other-1"}


def test_s5_a_fallback_without_a_key_gets_none(start, world, standby, complete, body):
    world.upstream.fault = "status:500"
    start(fallbacks=(Endpoint(standby.url),), api_key="sk-ours", retries=0)
    assert complete(body("hm"), {"authorization": "Bearer sk-caller"}).status == 200
    ((_, _, headers, _),) = standby.seen
    assert "sk-" not in str(headers)


def test_s5_only_callers_who_are_known_get_our_key_used(chained, world, standby, complete, body):
    chained(host="0.0.0.0")
    known, stranger = ({"authorization": f"Bearer sk-{name}"} for name in ("known", "stranger"))
    assert complete(body("hm"), known).status == 200
    world.upstream.fault = "status:500"
    assert complete(body("hm"), stranger).status == 500
    assert standby.seen == []
    assert text(complete(body("hm"), known)) == "from the second"


def test_the_last_failure_is_passed_on_unchanged(chained, world, standby, complete, body):
    world.upstream.fault, standby.fault = "blackhole", "status:503"
    chained()
    reply = complete(body("hm"))
    assert (reply.status, reply.json()["error"]["message"]) == (503, "no")
    assert reply.headers["retry-after"] == "7"
    assert reply.headers["x-should-retry"] == "false"
    standby.fault = "blackhole"
    reply = complete(body("hm"))
    assert (reply.status, reply.json()["error"]["code"]) == (504, "upstream_timeout")


def test_r1_all_tries_share_one_deadline(chained, world, standby, complete, body, figure):
    world.upstream.fault = standby.fault = "blackhole"
    chained(timeouts=Timeouts(first_byte=30, answer=30, deadline=1.0))
    took = []
    for stream in (False, True):
        began = time.monotonic()
        assert complete(body("hm", stream=stream)).status == 504
        took.append(time.monotonic() - began)
    assert max(took) <= 1.5
    figure(f"two that hang: {max(took):.2f} s of a deadline of 1 s")
    standby.fault = ""
    assert text(complete(body("hm"))) == "from the second"  # the first leaves it half of the time


def test_other_paths_stay_with_the_first(chained, world, standby, ask):
    world.upstream.fault = "status:500"
    chained()
    assert ask("POST", "/v1/embeddings", b"{}").status == 500
    assert standby.seen == []


def test_what_fell_back_is_counted_and_shown(chained, world, complete, ask, body):
    world.upstream.fault = "status:500"
    chained()
    complete(body("hm"))
    assert b"stepdown_upstream_fallbacks 1.0" in ask("GET", "/metrics").body
    upstreams = ask("GET", "/readyz").json()["upstreams"]
    first, second = upstreams["frontier"], upstreams["frontier fall-back 1"]
    assert first["address"] == f"{world.upstream.url}/v1"
    assert not second["held_back"]


def test_one_address_twice_in_a_chain_is_two_series(start, world, ask):
    start(fallbacks=(Endpoint(world.upstream.url, None, "other"),))
    page = ask("GET", "/metrics").body.decode()
    series = [line.rpartition(" ")[0] for line in page.splitlines() if line[:1] != "#"]
    assert len(series) == len(set(series))


def claude(**more):
    turns = [{"role": "user", "content": "anything"}]
    return {"model": "claude-9", "max_tokens": 50, "messages": turns, **more}


def test_anthropics_dialect_has_an_address_of_its_own(start, world, standby, ask, complete, body):
    start(messages=Endpoint(standby.url, "sk-anthropic", "claude-usual"), api_key="sk-openai")
    reply = ask("POST", "/v1/messages", claude())
    assert reply.json()["content"][0]["text"] == "from the second"
    ask("POST", "/v1/messages/count_tokens", claude())
    assert ask("POST", "/v1/messages", claude(model="auto")).status == 200
    assert world.upstream.seen == []
    paths = [path for _, path, _, _ in standby.seen]
    assert paths == ["/v1/messages", "/v1/messages/count_tokens", "/v1/messages"]
    assert json.loads(standby.seen[2][3])["model"] == "claude-usual"
    assert all(h["x-api-key"] == "sk-anthropic" for _, _, h, _ in standby.seen)
    assert "sk-openai" not in str(standby.seen)
    complete(body("hm"))
    ask("GET", "/v1/models")
    assert [path for _, path, _, _ in world.upstream.seen] == ["/v1/chat/completions", "/v1/models"]
    assert len(standby.seen) == 3


def test_a_model_of_ours_becomes_one_that_is_at_the_dialects_address(start, world, standby, ask):
    (task,) = world.tasks
    world.tasks = [msgspec.structs.replace(task, models={"claude-taught": 9})]
    start(frontier_model="gpt-best", messages=Endpoint(standby.url))
    for path in ("/v1/messages/count_tokens", "/v1/messages"):
        assert ask("POST", path, claude(model="stepdown/intents")).status == 200
        assert json.loads(standby.seen[-1][3])["model"] == "claude-taught"
    refused = ask("POST", "/v1/messages", claude(model="auto"))
    assert refused.status == 400
    assert "[tiers.frontier.messages] model" in refused.json()["error"]["message"]
    assert refused.decision() == ("refused", "model_not_found")


def test_without_one_every_dialect_goes_to_the_one_address(start, world, ask):
    start()
    assert ask("POST", "/v1/messages", claude()).status == 200
    assert len(world.upstream.seen) == 1


def test_the_chains_of_settings():
    assert chains_of(Settings()).upstreams() == []
    assert held_back(())
    usual = Endpoint("http://m", fallbacks=(Endpoint("http://n", answer=3.0),), answer=2.0)
    chains = chains_of(Settings(base_url="http://f", mid=usual))
    assert [one.address for one in chains.upstreams()] == [
        "http://f/v1",
        "http://m/v1",
        "http://n/v1",
    ]
    assert [link.answer_s for link in (*chains.frontier, *chains.mid)] == [600.0, 2.0, 3.0]
    assert [link.api_key for link in (*chains.frontier, *chains.mid)] == [None, "", ""]
    assert chains.messages is chains.frontier


def test_the_rest_of_a_renamed_body_keeps_its_bytes():
    body = b'{"model":"a","x":1.0e0,"text":"\\u00fc \xc3\xbc"}'
    assert renamed(body, "b") == body.replace(b'"a"', b'"b"')


def test_usable():
    assert [s for s in (200, 304, 400, 401, 404, 422) if not usable("frontier", s)] == []
    assert [s for s in (408, 429, 500, 502, 503, 504, 529) if usable("frontier", s)] == []
    # A model that the caller did not name may refuse what the one it named takes.
    assert [s for s in (200, 400, 401, 413, 500) if usable("mid", s)] == [200]


def test_limits_hold_for_each_upstream_of_a_chain(chained, world, complete, body):
    chained(limits=msgspec.structs.replace(Limits(), upstream_requests=0))
    assert complete(body("hm")).status == 503


@pytest.mark.parametrize(("fault", "billed"), [("blackhole", True), ("status:500", False)])
def test_c13_what_timed_out_may_have_been_paid_for(chained, world, complete, body, fault, billed):
    world.upstream.fault = fault
    chained()
    complete(body("hm"))
    about = world.lines()[0]["stepdown"]
    assert about["retried"] == 1
    assert ("beside" in about) == billed
    if billed:
        assert about["beside"] == [{"tier": "frontier", "model": "gpt-4o", "usage": None}]


def test_who_thinks_before_the_first_word_has_the_time_for_it(start, world, complete, body):
    # Some send their headers at once; what may pause for `idle` alone is a stream that has begun.
    start(timeouts=Timeouts(idle=0.2, first_byte=20))
    threading.Timer(1.0, world.upstream.release.set).start()

    async def later(request, body, argument):
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await world.upstream._released()
        await response.write(world.upstream.chunk({"content": "at last"}))
        await response.write(world.upstream.chunk({}, "stop") + b"data: [DONE]\n\n")
        return response

    world.upstream._later = later
    world.upstream.fault = "later"
    reply = complete(body("hm", stream=True))
    assert (reply.status, text(reply)) == (200, "at last")


@pytest.mark.parametrize("field", ["previous_response_id", "conversation"])
def test_what_is_kept_at_one_address_is_asked_there_alone(chained, world, standby, ask, field):
    world.upstream.fault = "status:500"
    chained()
    asked = {"model": "gpt-4o", "input": "more", field: "r1"}
    assert ask("POST", "/v1/responses", asked).status == 500
    assert standby.seen == []


ERRORS = {
    "/v1/chat/completions": b'data: {"error":{"message":"busy"}}\n\n',
    "/v1/messages": b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
    "/v1/responses": b'event: response.failed\ndata: {"type":"response.failed"}\n\n',
}


@pytest.mark.parametrize("path", ERRORS)
def test_r4_a_stream_that_begins_with_an_error_falls_over(chained, world, standby, ask, path):
    async def busy(request, body, argument):
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(ERRORS[path])
        return response

    world.upstream._busy_stream = standby._busy_stream = busy
    world.upstream.fault = "busy_stream"
    chained()
    turns = [{"role": "user", "content": "x"}]
    asked = {"model": "m", "max_tokens": 9, "messages": turns, "input": "x", "stream": True}
    reply = ask("POST", path, asked)
    assert reply.status == 200
    assert b"second" in reply.body
    assert b"busy" not in reply.body
    standby.fault = "busy_stream"  # where nobody is left, the error is the caller's
    assert ERRORS[path].strip() in ask("POST", path, asked).body


@pytest.mark.parametrize("fault", ["stall:0", "ends:0"])
def test_a_good_answer_of_a_fall_back_is_logged_as_one(
    chained, world, complete, body, tmp_path, fault
):
    world.upstream.fault = fault
    chained(access_log=str(tmp_path / "log"))
    assert complete(body("hm", stream=True)).status == 200
    world.stop()
    assert json.loads((tmp_path / "log").read_bytes())["problem"] is None
