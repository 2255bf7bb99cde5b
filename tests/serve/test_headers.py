"""S-6: what goes upstream and what comes back are lists of what is allowed."""

from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE

from stepdown.core.routes import Decision
from stepdown.serve.headers import back, decision_headers, forwarded, header, printable

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
