"""S-8: two readers never see different requests in the same bytes."""

import json

import pytest
from tests.reliability.smuggling import cases, post
from tests.serve.test_protocol import QUICK, statuses


def sound(body):
    sent = json.dumps(body).encode()
    return post(b"content-length: %d" % len(sent), body=sent)


@pytest.mark.reliability
def test_s8_no_request_is_smuggled_150_ways(start, world, raw, body, figure):
    start(timeouts=QUICK)
    found = cases()
    assert len(found) >= 150
    for name, sent in found.items():
        came = raw(sent + sound(body("hello")))
        assert statuses(came) == [400], name
        # From the parser's guard, not from the application behind it.
        told = json.loads(came.partition(b"\r\n\r\n")[2])["error"]
        assert told["code"] == "bad_request", name
    assert world.student.asked == 0
    assert world.upstream.seen == []
    figure(f"{len(found)} cases, each one 400 and a close; 0 reached the application")


UPGRADES = {
    "h2c": (b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABk"),
    "websocket": (b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13"),
    "anything": (b"upgrade: x/1", b"connection: keep-alive, upgrade"),
}


@pytest.mark.parametrize("name", UPGRADES)
@pytest.mark.parametrize("pause", [0.0, 0.1])
def test_s8_an_offer_to_upgrade_is_a_request_like_any_other(start, world, raw, body, name, pause):
    """Its body is its body, in one packet with the head or in another (as Java sends it)."""
    start(timeouts=QUICK)
    inner = sound(body("hello"))
    sent = json.dumps(body("hello", metadata={"x": inner.decode()})).encode()
    head = post(*UPGRADES[name], b"content-length: %d" % len(sent))
    came = raw(head, sent[:9], sent[9:], sound(body("hello")), pause=pause)
    assert statuses(came) == [200, 200]
    assert world.student.asked == 2
    bare = post(*UPGRADES[name], line=b"GET /healthz HTTP/1.1")
    assert statuses(raw(bare, inner, pause=pause)) == [200, 200]
    assert world.student.asked == 3


SAME = {
    "an underscore is no dash": (b"content_length: 3", b"transfer_encoding: chunked"),
    "not even in ours": (b"x_stepdown_bypass: true", b"x_stepdown_task: nothing"),
    "an empty value": (b"x:", b"y: "),
    "the same name twice": (b"x: 1", b"x: 2", b"accept: a", b"accept: b"),
    "a name that others treat as special": (b"content-length-x: 3", b"x-content-length: 4"),
}


@pytest.mark.parametrize("name", SAME)
def test_s8_what_only_looks_special_changes_nothing(start, world, raw, body, name):
    start(timeouts=QUICK)
    sent = json.dumps(body("hello")).encode()
    odd = post(*SAME[name], b"content-length: %d" % len(sent), body=sent)
    assert statuses(raw(odd + sound(body("hello")))) == [200, 200]
    assert world.student.asked == 2


def test_s8_what_follows_a_close_is_not_read(start, world, raw, body):
    start(timeouts=QUICK)
    sent = json.dumps(body("hello")).encode()
    last = post(b"connection: close", b"content-length: %d" % len(sent), body=sent)
    assert statuses(raw(last + sound(body("hello")))) == [200]
    assert world.student.asked == 1
