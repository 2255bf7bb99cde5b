"""R-5: a stream of 200 chunks that ends at any byte of it, by FIN or RST, or is framed wrongly."""

import json
import logging
import random
from contextlib import closing

import pytest
from tests.reliability.load import Replayer

from stepdown.serve.settings import Limits, Timeouts

pytestmark = pytest.mark.reliability

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def frames():
    """The 200 events of a stream and its end, each as its data alone."""
    base = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "gpt-2026"}
    yield {**base, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
    for number in range(198):
        delta = {"content": f"w{number} "}
        yield {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


EVENTS = [b"data: " + json.dumps(one).encode() + b"\n\n" for one in frames()]
EVENTS.append(b"data: [DONE]\n\n")
BODY = b"".join(EVENTS)
WHOLE = HEAD + b"".join(b"%x\r\n%b\r\n" % (len(one), one) for one in EVENTS) + b"0\r\n\r\n"


@pytest.fixture
def replayed(start):
    with closing(Replayer()) as upstream:
        # The breaker counts what was never answered; here everything is.
        start(
            base_url=upstream.url,
            retries=0,
            limits=Limits(),
            timeouts=Timeouts(idle=5, first_byte=5, answer=5),
        )
        yield upstream


def checked(reply, cut):
    """Hold an answer to the promise; returns how it ended."""
    if reply.status != 200:
        # Nothing had come that could be passed on.
        assert reply.status in (502, 503), cut
        assert reply.json()["error"]["type"] == "stepdown_error"
        return "status"
    if reply.body.endswith(b"data: [DONE]\n\n"):
        assert reply.body == BODY, cut
        return "whole"
    passed, _, error = reply.body.rpartition(b"\ndata: ")
    assert "error" in json.loads(error), cut
    assert BODY.startswith(passed.rstrip(b"\n")), cut
    assert b"[DONE]" not in reply.body, cut
    return "error"


def tried(replayed, complete, body, cuts, caplog):
    ended = {"status": 0, "whole": 0, "error": 0}
    with caplog.at_level(logging.WARNING):
        for cut in cuts:
            replayed.answer, replayed.resets = WHOLE[: abs(cut)], cut < 0
            ended[checked(complete(body("hm", stream=True)), cut)] += 1
    assert [record for record in caplog.records if record.exc_info] == []
    return ended


def test_r5_a_stream_cut_at_500_bytes_of_it(replayed, complete, body, caplog, figure):
    drawn = random.Random(5)
    cuts = drawn.sample(range(1, len(WHOLE)), 490)
    cuts = [cut * drawn.choice((1, -1)) for cut in cuts] + [*range(len(WHOLE) - 9, len(WHOLE) + 1)]
    ended = tried(replayed, complete, body, cuts, caplog)
    assert ended["error"] > 400
    figure(f"{len(cuts)} cuts of {len(WHOLE):,} bytes: {ended}, 0 hangs, 0 exceptions")


@pytest.mark.nightly
def test_r5_a_stream_cut_at_every_byte(replayed, complete, body, caplog, figure):
    ended = tried(replayed, complete, body, range(1, len(WHOLE) + 1), caplog)
    figure(f"{len(WHOLE):,} cuts: {ended}")


def test_r5_framing_that_is_wrong(replayed, complete, body, caplog, figure):
    drawn = random.Random(6)
    at = [i for i in range(len(HEAD), len(WHOLE) - 8) if WHOLE[i : i + 2] == b"\r\n"]
    ended = {"status": 0, "whole": 0, "error": 0}
    with caplog.at_level(logging.WARNING):
        for place in drawn.sample(at, 10):
            wrong = bytearray(WHOLE)
            wrong[place - 1 : place + 2] = drawn.choice((b"Z\r\n", b"\0\0\0", b"ffffffff\r\n", b""))
            replayed.answer, replayed.pauses_at = bytes(wrong), place - 1
            reply = complete(body("hm", stream=True))
            done = reply.body.endswith(b"data: [DONE]\n\n")
            assert reply.status in (200, 502, 503)
            assert done or b'"error"' in reply.body
            ended["whole" if done else "error" if reply.status == 200 else "status"] += 1
    assert [record for record in caplog.records if record.exc_info] == []
    assert ended["error"] > 4, ended
    figure(f"10 corrupt framings: {ended}")
