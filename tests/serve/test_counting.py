"""Streams are asked for their tokens, and only callers who asked see them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.serve.counting import asking_usage, tells_usage, wants_usage
from stepdown.serve.sse import SsePassage
from stepdown.wire.openai import parse_request

TALK = [{"role": "user", "content": 'say "stream_options" {'}]


def data(reply):
    lines = reply.body.decode().split("\n")
    return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]


def test_the_tokens_are_captured_and_the_caller_sees_none(start, world, complete, body):
    start(ask_usage=True)
    reply = complete(body("hm", stream=True))
    ((_, _, _, sent),) = world.upstream.seen
    assert json.loads(sent)["stream_options"] == {"include_usage": True}
    own = json.dumps(body("hm", stream=True)).encode()
    assert sent == own.replace(b"{", b'{"stream_options":{"include_usage":true},', 1)
    frames = data(reply)
    assert frames[-1] == "[DONE]"
    assert all(json.loads(frame)["choices"] for frame in frames[:-1])
    (line,) = world.lines()
    assert line["response"]["usage"]["prompt_tokens"] == 5
    plain = complete(body("hm", stream=True), {"x-stepdown-bypass": "true"})
    assert plain.body == reply.body


def test_who_asks_gets_them(start, world, complete, body):
    start(ask_usage=True)
    asked = body("hm", stream=True, stream_options={"include_usage": True})
    frames = data(complete(asked))
    assert json.loads(frames[-2])["usage"]["completion_tokens"] == 3
    ((_, _, _, sent),) = world.upstream.seen
    assert sent == json.dumps(asked).encode()


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"other": [1]}])
def test_other_options_stand(start, world, complete, body, options):
    start(ask_usage=True)
    frames = data(complete(body("hm", stream=True, stream_options=options)))
    assert all(json.loads(frame)["choices"] for frame in frames[:-1])
    ((_, _, _, sent),) = world.upstream.seen
    made = {**(options or {}), "include_usage": True}
    assert json.loads(sent)["stream_options"] == made
    own = json.dumps(body("hm", stream=True, stream_options=options))
    told = f'"stream_options": {json.dumps(options)}'
    packed = json.dumps(made, separators=(",", ":"))
    assert sent.decode() == own.replace(told, f'"stream_options": {packed}')


def test_off_and_elsewhere_no_byte_is_changed(start, world, complete, body):
    start()
    complete(body("hm", stream=True))
    assert world.upstream.seen[0][3] == json.dumps(body("hm", stream=True)).encode()


def test_whole_answers_and_other_dialects_are_not_asked(start, world, complete, body):
    start(ask_usage=True)
    complete(body("hm"))
    complete({"model": "m", "max_tokens": 5, "stream": True, "messages": TALK}, path="/v1/messages")
    assert not any(b"include_usage" in sent for _, _, _, sent in world.upstream.seen)


def test_options_that_are_none_are_left_alone():
    assert asking_usage(b'{"stream_options": 7, "model": "m"}') is None


def test_a_word_in_a_message_is_no_option():
    body = json.dumps({"model": "m", "messages": TALK}).encode()
    asked = json.loads(asking_usage(body))
    assert asked == {"model": "m", "messages": TALK, "stream_options": {"include_usage": True}}


def test_wants_usage():
    for options, wants in (({"include_usage": True}, True), ({}, False), (None, False)):
        body = {"model": "m", "messages": TALK, "stream_options": options}
        assert wants_usage(parse_request(json.dumps(body).encode())) == wants


TELLING = b'{"choices": [], "usage": {"prompt_tokens": 1}}'


@pytest.mark.parametrize(
    ("chunk", "tells"),
    [
        (TELLING, True),
        (b'{"choices": [], "usage": null}', False),
        (b'{"choices": [{"delta": {}}], "usage": {"prompt_tokens": 1}}', False),
        (b'{"error": {"message": "usage"}, "usage": {}}', False),
        (b'{"choices": "usage", "usage": "usage"}', False),
        (b"[DONE]", False),
        (b'"usage" \xff', False),
    ],
)
def test_only_the_chunk_that_tells_nothing_else_is_dropped(chunk, tells):
    assert tells_usage(chunk) == tells


EVENTS = [b'data: {"a": 1}', b": hello", b"event: x", b"data: " + TELLING, b"", b"data:", b"id: 1"]


@given(
    st.lists(st.sampled_from(EVENTS), max_size=12),
    st.sampled_from([b"\n", b"\r\n"]),
    st.lists(st.integers(0, 300), max_size=6),
)
def test_r5_however_it_is_cut_all_else_passes_to_the_byte(events, newline, cuts):
    sent = b"".join(event + newline for event in events) + b"data: [DONE]\n\n"
    passage = SsePassage(10_000, lambda data: data == b"[DONE]", tells_usage)
    plain = SsePassage(10_000, lambda data: data == b"[DONE]")
    places = sorted({min(cut, len(sent)) for cut in cuts})
    parts = [sent[a:b] for a, b in zip([0, *places], [*places, len(sent)], strict=True)]
    passed = b"".join([passage.feed(part) for part in parts]) + passage.rest()
    whole = b"".join([plain.feed(part) for part in parts]) + plain.rest()
    assert whole == sent
    assert passage.frames == plain.frames
    kept, dropping = [], False
    for event in events:
        if event.startswith(b"data:"):
            dropping = TELLING in event
        if not dropping:
            kept.append(event + newline)
        dropping = dropping and event != b""
    assert passed == b"".join(kept) + b"data: [DONE]\n\n"
