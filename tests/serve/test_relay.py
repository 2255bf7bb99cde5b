"""R-1, R-4, R-5, R-9, S-15: an upstream that fails, in every way that it can."""

import json
import socket
import time

import openai
import pytest
from aiohttp import web

from stepdown.serve.settings import Limits, Timeouts
from stepdown.store.sqlite import read_tallies


def datas(reply):
    frames = reply.body.decode().split("\n\n")
    return [line[6:] for frame in frames for line in frame.split("\n") if line[:6] == "data: "]


def kinds(reply):
    """Return what a streamed reply consisted of: chunk, error, [DONE]."""
    found = []
    for data in datas(reply):
        try:
            found.append("error" if "error" in json.loads(data) else "chunk")
        except json.JSONDecodeError:
            found.append(data)
    return found


def test_upstream_errors_pass_unchanged(start, world, complete, body):
    start()
    for status in (400, 401, 404, 422, 429, 500, 529):
        world.upstream.fault = f"status:{status}"
        for stream in (False, True):
            reply = complete(body("hm", stream=stream))
            assert reply.status == status
            assert reply.json()["error"]["message"] == "no"
            assert reply.headers["retry-after"] == "7"
            assert "set-cookie" not in reply.headers
            assert reply.decision() == ("escalated", "low_confidence")
    assert {line["error"]["status"] for line in world.lines()} >= {400, 529}
    assert all(line["response"] is None for line in world.lines())


def test_r2_nobody_at_the_upstreams_address(start, complete, body, raw):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    start(base_url=f"http://127.0.0.1:{port}/v1")
    for stream in (False, True):
        reply = complete(body("hm", stream=stream))
        assert reply.status == 503
        assert reply.json()["error"]["code"] == "upstream_unavailable"
        assert reply.headers["retry-after"].isdigit()
        assert reply.headers["x-should-retry"] == "false"
        assert reply.decision() == ("escalated", "low_confidence")
    assert complete(body()).decision() == ("answered", "confident")


def test_r1_a_blackhole_is_left_in_time_and_then_alone(start, world, complete, body):
    world.upstream.fault = "blackhole"
    start(timeouts=Timeouts(first_byte=0.2, answer=0.2))
    for _ in range(5):
        reply = complete(body("hm"))
        assert (reply.status, reply.json()["error"]["code"]) == (504, "upstream_timeout")
    reached = len(world.upstream.seen)
    reply = complete(body("hm"))
    assert (reply.status, reply.json()["error"]["code"]) == (503, "upstream_unavailable")
    assert len(world.upstream.seen) == reached
    assert complete(body()).decision() == ("answered", "confident")


def test_r4_a_stall_before_the_first_chunk_is_an_http_error(start, world, complete, body):
    world.upstream.fault = "stall:0"
    start()
    reply = complete(body("hm", stream=True))
    assert (reply.status, reply.json()["error"]["code"]) == (504, "upstream_stalled")


@pytest.mark.parametrize("after", [1, 2])
def test_r4_a_stall_in_the_stream_is_an_error_in_the_stream(start, world, complete, body, after):
    world.upstream.fault = f"stall:{after}"
    start()
    reply = complete(body("hm", stream=True))
    assert reply.status == 200
    assert kinds(reply) == ["chunk"] * (after + 1) + ["error"]
    (line,) = world.lines()
    assert line["response"] is None
    assert line["stepdown"]["partial"]["choices"][0]["message"]["content"].startswith("from")


@pytest.mark.parametrize("fault", ["cut:0", "cut:2", "ends:2"])
def test_r5_a_stream_that_breaks_off_never_says_done(start, world, complete, body, fault):
    world.upstream.fault = fault
    start()
    reply = complete(body("hm", stream=True))
    if reply.status == 200:
        assert kinds(reply)[-1] == "error"
        assert "[DONE]" not in kinds(reply)
    else:
        assert reply.json()["error"]["code"] == "upstream_broke_off"
    assert world.lines()[0]["response"] is None


def test_the_official_client_sees_the_error_in_the_stream(start, world, body):
    world.upstream.fault = "cut:2"
    url = start()
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as client,
        pytest.raises(openai.APIError, match="broke off"),
    ):
        list(client.chat.completions.create(**body("hm"), stream=True))


def test_a_stream_passes_unchanged_and_is_captured_whole(start, world, complete, body):
    start()
    reply = complete(body("hm", stream=True))
    assert kinds(reply) == ["chunk"] * 5 + ["[DONE]"]
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["x-accel-buffering"] == "no"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["x-stepdown-model"] == "gpt-2026"
    (line,) = world.lines()
    assert line["response"]["choices"][0]["message"]["content"] == "from up there "


def test_chunks_come_as_they_are_made(start, world, body):
    world.upstream.fault = "stall:2"
    url = start(timeouts=Timeouts(idle=30))
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k") as client:
        stream = client.chat.completions.create(**body("hm"), stream=True)
        early = [next(stream).choices[0].delta.content for _ in range(3)]
    assert early == ["", "from ", "up "]  # the upstream has not said the rest yet


def test_a_malformed_chunk_passes_and_is_not_an_answer_of_ours(start, world, complete, body):
    world.upstream.fault = "malformed"
    start()
    reply = complete(body("hm", stream=True))
    assert b"{nonsense" in reply.body
    assert kinds(reply)[-1] == "[DONE]"


def lone_crs(upstream, whole):
    """Let an upstream end its lines with CR alone, and break off unless its answer is `whole`."""

    async def odd(request, body, argument):
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        words = [upstream.chunk({"content": word}) for word in upstream.words]
        for part in (*words, b'data: {"choices":[]}\n'):
            await response.write(part.replace(b"\n", b"\r"))
        if not whole:
            request.transport.abort()
            return response
        end = b"\n" + upstream.chunk({}, "stop") + b"data: [DONE]\n\n"
        await response.write(end.replace(b"\n", b"\r"))
        return response

    upstream._odd, upstream.fault = odd, "odd"


def test_lines_may_end_with_cr_alone(start, world, complete, body):
    """As the standard has it, and its clients read it."""
    lone_crs(world.upstream, whole=True)
    start()
    reply = complete(body("hm", stream=True))
    assert b"\n" not in reply.body
    assert reply.body.endswith(b"data: [DONE]\r\r")
    (line,) = world.lines()
    assert line["response"]["choices"][0]["message"]["content"] == "fromupthere"


def test_what_breaks_off_after_a_cr_alone_ends_with_an_event_of_its_own(start, world, body):
    lone_crs(world.upstream, whole=False)
    said = []
    with openai.OpenAI(base_url=f"{start()}/v1", api_key="k", max_retries=0) as client:
        stream = client.chat.completions.create(**body("hm"), stream=True)
        with pytest.raises(openai.APIError, match="broke off"):
            said.extend(chunk.choices[0].delta.content for chunk in stream if chunk.choices)
    assert said == ["from", "up", "there"]
    assert world.lines()[0]["response"] is None


def test_s15_a_hostile_upstream_is_cut_off(start, world, complete, body):
    start(limits=Limits(upstream_bytes=2**20, line_bytes=2**18))
    for fault, stream, status, code in (
        ("bomb", False, 502, "upstream_too_long"),
        ("redirect", False, 502, "upstream_redirects"),
        ("endless", True, 200, "upstream_too_long"),
    ):
        world.upstream.fault = fault
        reply = complete(body("hm", stream=stream))
        assert reply.status == status, fault
        found = json.loads(datas(reply)[-1]) if stream else reply.json()
        assert found["error"]["code"] == code, fault


def test_s5_a_redirect_gets_no_key(start, world, complete, body):
    with socket.create_server(("127.0.0.1", 0)) as canary:
        canary.setblocking(False)
        world.upstream.fault = f"redirect:http://127.0.0.1:{canary.getsockname()[1]}/"
        start()
        complete(body("hm"), {"authorization": "Bearer sk-secret"})
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_an_answer_that_is_no_json_passes_and_is_kept_as_text(start, world, complete, body):
    world.upstream.fault = "html"
    start()
    reply = complete(body("hm"))
    assert (reply.status, reply.headers["content-type"][:9]) == (200, "text/html")
    (line,) = world.lines()
    assert line["response"] is None
    assert line["error"]["body"] == "<html>\nhello</html>"


def left_midway(start, world, body, times):
    """Start streams and leave them; the next request must be served at once."""
    start(limits=Limits(upstream_connections=2), timeouts=Timeouts(idle=30))
    host, port = world.url.removeprefix("http://").split(":")
    sent = json.dumps(body("hm", stream=True)).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    for _ in range(times):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head % len(sent) + sent)
            connection.recv(4096)


def test_r9_a_caller_who_leaves_takes_the_upstreams_call_along(start, world, body, complete, wait):
    world.upstream.fault = "stall:1"
    left_midway(start, world, body, 6)
    wait(lambda: len(world.lines()) == 6, 20)
    assert all(line["error"]["status"] == 499 for line in world.lines())
    assert all("partial" in line["stepdown"] for line in world.lines())
    world.upstream.fault = ""
    assert complete(body("hm")).status == 200


@pytest.mark.nightly
def test_r9_200_callers_who_leave(start, world, body, complete, wait):
    world.upstream.fault = "stall:1"
    left_midway(start, world, body, 200)
    wait(lambda: sum(tally.count for tally in read_tallies(world.path)) == 200, 60)
    world.upstream.fault = ""
    assert complete(body("hm")).status == 200


def test_r9_leaving_before_the_answer(start, world, body, raw, wait):
    world.upstream.fault = "blackhole"
    start(timeouts=Timeouts(answer=30))
    sent = json.dumps(body("hm")).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"
    with pytest.raises(TimeoutError):
        raw(head % len(sent) + sent, timeout=0.3)
    wait(lambda: len(world.lines()) == 1)
    assert world.lines()[0]["error"]["status"] == 499


def test_c13_retries_stand_in_the_line(start, world, complete, body):
    start()
    world.upstream.fault = "busy"
    complete(body("unheard of"))
    assert world.lines()[0]["stepdown"]["retried"] == 2
    world.upstream.fault = ""
    complete(body("unheard of"))
    assert "retried" not in world.lines()[1]["stepdown"]


def test_a_body_of_megabytes_arrives_unchanged(start, world, complete, body):
    start()
    sent = body("hm" * 1_500_000)
    assert complete(sent).status == 200
    _, _, headers, arrived = world.upstream.seen[0]
    assert json.loads(arrived) == sent
    assert headers["Content-Length"] == str(len(arrived))


def test_r4_an_upstream_that_does_not_end_after_the_end_costs_no_error(
    start, world, complete, body
):
    async def lingering(request, body, argument):
        async def linger(request, response):
            await response.write(world.upstream.chunk({}, "stop") + b"data: [DONE]\n\n")
            await world.upstream._released()

        return await world.upstream._streamed(request, 2, linger)

    world.upstream._lingers, world.upstream.fault = lingering, "lingers"
    start(timeouts=Timeouts(first_byte=5.0, idle=30.0))
    began = time.monotonic()
    reply = complete(body("hm", stream=True))
    assert time.monotonic() - began < 15
    assert kinds(reply) == ["chunk"] * 4 + ["[DONE]"]
    assert reply.body.endswith(b"data: [DONE]\n\n")
    (line,) = world.lines()
    assert line["response"]["choices"][0]["message"]["content"] == "from up "


NONSENSE = {
    "/v1/responses": [b'{"type":"response.failed","response":{"error":{"code":"x"}}}'],
    "/v1/messages": [b'{"type":"message_start","message":"x"}', b'{"type":"message_stop"}'],
}


@pytest.mark.parametrize("path", NONSENSE)
def test_s15_a_stream_of_nonsense_passes_and_is_captured(start, world, complete, path):
    sent = b"".join(b"data: %b\n\n" % frame for frame in NONSENSE[path])

    async def nonsense(request, body, argument):
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write(sent)
        return response

    world.upstream._odd, world.upstream.fault = nonsense, "odd"
    start()
    said = {"messages": [{"role": "user", "content": "hm"}], "input": "hm"}
    reply = complete({"model": "m", "max_tokens": 9, "stream": True, **said}, path=path)
    assert (reply.status, reply.body) == (200, sent)
    (line,) = world.lines()
    assert line["response"] is None
    assert line["error"]["status"] == 200
