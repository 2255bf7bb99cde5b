"""S-6: what goes upstream and what comes back are lists of what is allowed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE

from stepdown.core.routes import Decision
from stepdown.serve.headers import back, decision_headers, forwarded, header, printable, streaming

SENT = [
    (b"host", b"gateway"),
    (b"authorization", b"Bearer caller"),
    (b"x-api-key", b"caller"),
    (b"content-type", b"application/json"),
    (b"content-length", b"5"),
    (b"connection", b"keep-alive, x-secret"),
    (b"transfer-encoding", b"chunked"),
    (b"accept-encoding", b"gzip, br"),
    (b"cookie", b"a=b"),
    (b"x-forwarded-for", b"1.2.3.4"),
    (b"x-stepdown-task", b"t"),
    (b"x-stainless-lang", b"python"),
    (b"openai-organization", b"org"),
    (b"user-agent", b"OpenAI/Python"),
]


def test_s6_the_exact_headers_that_go_upstream_with_the_callers_key():
    assert forwarded(SENT, None) == [
        ("authorization", "Bearer caller"),
        ("x-api-key", "caller"),
        ("content-type", "application/json"),
        ("x-stainless-lang", "python"),
        ("openai-organization", "org"),
        ("user-agent", "OpenAI/Python"),
        ("accept-encoding", "identity"),
    ]


def test_s6_a_configured_key_replaces_every_key_of_the_caller():
    sent = forwarded(SENT, "ours")
    assert [value for name, value in sent if "key" in name or name == "authorization"] == [
        "Bearer ours"
    ]


def test_s15_no_cookie_and_no_hop_by_hop_header_comes_back():
    came = [
        ("Content-Type", "application/json"),
        ("Set-Cookie", "a=b"),
        ("Transfer-Encoding", "chunked"),
        ("Content-Length", "7"),
        ("Content-Encoding", "gzip"),
        ("Location", "http://evil"),
        ("x-request-id", "up-1"),
        ("X-RateLimit-Remaining-Requests", "9"),
        ("openai-processing-ms", "12"),
        ("retry-after", "3"),
        ("x-stepdown-tier", "forged"),
    ]
    assert [name for name, _ in back(came)] == [
        b"content-type",
        b"x-request-id",
        b"x-ratelimit-remaining-requests",
        b"openai-processing-ms",
        b"retry-after",
    ]


def test_headers_of_an_answer():
    decision = Decision("answered", "confident", "small", "t", "abc", 0.9876543)
    assert dict(decision_headers("id", decision, "intents", "stepdown/intents")) == {
        b"x-stepdown-request-id": b"id",
        b"x-stepdown-tier": b"small",
        b"x-stepdown-decision": b"answered",
        b"x-stepdown-reason": b"confident",
        b"x-stepdown-task": b"intents",
        b"x-stepdown-model": b"stepdown/intents",
        b"x-stepdown-confidence": b"0.987654",
        b"x-stepdown-student": b"abc",
    }


def test_headers_that_do_not_apply_are_left_out():
    assert decision_headers("id") == [(b"x-stepdown-request-id", b"id")]
    relayed = Decision("relayed", "no_route", "frontier")
    assert {name for name, _ in decision_headers("id", relayed)} == {
        b"x-stepdown-request-id",
        b"x-stepdown-tier",
        b"x-stepdown-decision",
        b"x-stepdown-reason",
    }


def test_the_first_header_of_a_name():
    assert header([(b"a", b"1"), (b"a", b"2")], b"a") == "1"
    assert header([], b"a") == ""


@given(st.text())
def test_s12_any_name_is_a_sound_header_value(text):
    value = printable(text).encode("ascii")
    assert not HEADER_VALUE_RE.search(value)
    assert len(value) <= 200


OVERRIDES = {
    "api_base": "http://127.0.0.1:9/v1",
    "base_url": "http://127.0.0.1:9/v1",
    "api_key": "sk-other",
    "custom_host": "evil.example",
    "custom_llm_provider": "x",
    "user_config": {"model_list": [{"litellm_params": {"api_base": "http://127.0.0.1:9"}}]},
    "extra_headers": {"x-a": "b", "authorization": "Bearer sk-other"},
    "extra_body": {"a": 1},
    "proxy": "http://127.0.0.1:9",
    "metadata": {"api_base": "http://127.0.0.1:9", "headers": {"a": "b"}},
    "callbacks": ["http://127.0.0.1:9"],
    "mock_response": "x",
    "_unknown": [1],
}
HEADERS = {
    "x-portkey-custom-host": "http://127.0.0.1:9",
    "x-upstream-base-url": "http://127.0.0.1:9",
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "gopher",
    "x-forwarded-for": "127.0.0.1",
    "x-original-url": "/admin",
    "x-rewrite-url": "/admin",
    "x-http-method-override": "DELETE",
    "x-forward-authorization": "a",
    "x-openai-forward-x": "a",
    "forwarded": "host=evil.example",
    "proxy": "http://127.0.0.1:9",
    "proxy-authorization": "Basic eA==",
    "via": "1.1 x",
    "cookie": "a=b",
    "referer": "http://evil.example",
    "origin": "http://evil.example",
    "te": "trailers",
    "upgrade": "h2c",
    "api-key": "sk-third",
    "x-api-key": "sk-second",
    "authorization": "Bearer sk-caller",
    "user-agent": "probe/1",
    "content-type": "application/json",
    "accept": "application/json",
}


def sent_upstream(world):
    _, path, headers, body = world.upstream.seen[-1]
    return path, {name.lower(): value for name, value in headers.items()}, body


def test_s6_the_exact_headers_over_http(start, world, complete, body):
    start(api_key="sk-gateway")
    assert complete(body("hm"), HEADERS).status == 200
    sent = json.dumps(body("hm")).encode()
    path, headers, arrived = sent_upstream(world)
    assert (path, arrived) == ("/v1/chat/completions", sent)
    assert headers == {
        "host": world.upstream.url.removeprefix("http://"),
        "user-agent": "probe/1",
        "content-type": "application/json",
        "accept": "application/json",
        "authorization": "Bearer sk-gateway",
        "accept-encoding": "identity",
        "content-length": str(len(sent)),
    }


@pytest.mark.parametrize("field", OVERRIDES)
def test_s6_no_field_of_a_body_redirects_it(start, world, complete, body, field):
    start(api_key="sk-gateway")
    asked = body("hm", **{field: OVERRIDES[field]})
    reply = complete(asked)
    # The upstream that was configured gets the caller's own bytes, and decides what they mean.
    path, headers, arrived = sent_upstream(world)
    assert (reply.status, path) == (200, "/v1/chat/completions")
    assert arrived == json.dumps(asked).encode()
    assert headers["authorization"] == "Bearer sk-gateway"
    assert len(world.upstream.seen) == 1


def test_a_stream_is_neither_held_back_nor_kept():
    assert streaming([("Content-Type", "text/event-stream")]) == [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
    ]
    given = [("Cache-Control", "no-store"), ("X-Accel-Buffering", "yes")]
    assert streaming(given) == [(b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "api-key"])
def test_s4_a_key_that_is_the_gateways_own_never_goes_upstream(
    start, world, ask, complete, body, name
):
    start(client_keys=("client-key",), audit_share=1.0)
    key = {name: "Bearer client-key" if name == "authorization" else "client-key"}
    assert complete(body("hm"), key).status == 200
    assert complete(body("hm"), {**key, "x-other": "1"}, path="/v1/messages").status != 401
    assert ask("GET", "/v1/files", headers=key).status == 200
    assert ask("GET", "/v1/models", headers=key).status == 200
    assert len(world.upstream.seen) >= 3
    assert "client-key" not in str(world.upstream.seen)
    other = "authorization" if name != "authorization" else "x-api-key"
    complete(body("hm"), {**key, other: "callers-own"})
    assert sent_upstream(world)[1][other] == "callers-own"
    assert "client-key" not in str(world.upstream.seen)
