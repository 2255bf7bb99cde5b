"""Bodies in, replies out, over ASGI messages."""

import asyncio
import json

from stepdown.serve.replies import json_reply, problem, read_body, send_reply


def received(*messages):
    left = list(messages)

    async def receive():
        return left.pop(0)

    return asyncio.run(read_body(receive))


def part(body, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def test_a_body_in_one_piece_and_in_several():
    assert received(part(b"abc")) == b"abc"
    assert received(part(b"a", True), part(b"", True), part(b"bc")) == b"abc"
    assert received(part(b"")) == b""


def test_a_caller_who_leaves_sends_no_body():
    assert received(GONE) is None
    assert received(part(b"a", True), GONE) is None


def test_a_reply_is_sent_whole_with_its_length():
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(send_reply(send, json_reply({"a": 1}, 201), [(b"x", b"y")]))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 201
    assert dict(sent[0]["headers"]) == {
        b"content-length": b"7",
        b"content-type": b"application/json",
        b"x": b"y",
    }
    assert json.loads(sent[1]["body"]) == {"a": 1}


def test_problems_tell_clients_whether_to_try_again():
    plain = problem(400, "why", "code", param="model")
    assert json.loads(plain.body)["error"]["param"] == "model"
    assert dict(plain.headers) == {b"content-type": b"application/json"}
    tried = dict(problem(503, "why", "code", retry_after_s=3, tried=True).headers)
    assert (tried[b"retry-after"], tried[b"x-should-retry"]) == (b"3", b"false")
