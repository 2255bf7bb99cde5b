"""D-10: what is under way when the time to drain is over is told so, in every dialect."""

import json
import time

from tests.serve.children import in_flight

from stepdown.serve.settings import Timeouts

CALLS = {
    "/v1/chat/completions": {"model": "m"},
    "/v1/messages": {"model": "m", "max_tokens": 9},
    "/v1/responses": {"model": "m", "input": "hi"},
    "/v1/embeddings": {"model": "m", "input": "hi"},
}


def test_d10_whole_answers_that_are_cut_off_say_so(start, world, complete, wait, tmp_path):
    timeouts = Timeouts(first_byte=20.0, answer=20.0, drain=0.3)
    start(access_log=str(tmp_path / "log"), timeouts=timeouts)
    world.upstream.fault = "blackhole"
    turns = [{"role": "user", "content": "hi"}]
    asked = {
        path: in_flight(
            lambda sent, path=path: complete(sent, path=path),
            fields if "input" in fields else {**fields, "messages": turns},
            1,
        )
        for path, fields in CALLS.items()
    }
    wait(lambda: len(world.upstream.seen) == len(asked))
    world.stop()
    for path, ((thread,), replies) in asked.items():
        thread.join()
        (reply,) = replies
        request_id = reply.headers["x-stepdown-request-id"]
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.headers["x-request-id"] == request_id
        assert "x-should-retry" not in reply.headers
        if path == "/v1/messages":
            assert reply.json()["request_id"] == request_id
            assert reply.json()["error"]["type"] == "overloaded_error"
        else:
            assert reply.json()["error"]["code"] == "shutting_down"
    kept = {line["id"]: line["error"] for line in world.lines()}
    assert len(kept) == 3
    assert all((one["status"], one["sent"]) == (503, True) for one in kept.values())
    logged = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert [(line["status"], line["problem"]) for line in logged] == [(503, "shutting_down")] * 4


def test_d10_a_body_that_is_still_coming_is_told_of_the_end(start, world, raw, wait):
    start(timeouts=Timeouts(drain=0.3))
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{"
    (thread,), heard = in_flight(raw, head, 1)
    time.sleep(0.3)
    world.stop()
    thread.join()
    assert heard[0].startswith(b"HTTP/1.1 503 ")
    assert b"shutting_down" in heard[0]


def test_d10_a_relayed_stream_is_told_of_the_end(start, world, complete, wait, tmp_path):
    timeouts = Timeouts(first_byte=20.0, idle=20.0, drain=0.3)
    start(access_log=str(tmp_path / "log"), timeouts=timeouts)
    world.upstream.fault = "stall:1"
    (thread,), heard = in_flight(
        lambda sent: complete(sent, path="/v1/completions"), {"model": "m", "stream": True}, 1
    )
    wait(lambda: world.upstream.open_streams == 1)
    time.sleep(0.3)
    world.stop()
    thread.join()
    assert b"shutting_down" in heard[0].body
    (line,) = [json.loads(line) for line in (tmp_path / "log").read_bytes().splitlines()]
    assert (line["status"], line["problem"]) == (200, "shutting_down")
