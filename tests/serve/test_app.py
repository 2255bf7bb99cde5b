"""Paths, methods, health, keys, and what happens when the gateway itself fails."""

import json
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepdown.cli.bench.gateway.mutations import FIELDS
from stepdown.serve.settings import Limits, Timeouts


def test_paths_and_methods(start, ask):
    start()
    for method, path, status in (
        ("GET", "/healthz", 200),
        ("HEAD", "/healthz", 200),
        ("POST", "/healthz", 405),
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/v1/chat/completions", 405),
        ("GET", "/v1/route", 405),
        ("POST", "/v1/models", 405),
        ("GET", "/", 404),
        ("GET", "/metrics/x", 404),
        ("POST", "/v2/chat/completions", 404),
        ("GET", "/v1/anything", 200),
    ):
        reply = ask(method, path)
        assert reply.status == status, (method, path)
        assert reply.headers["x-stepdown-request-id"]
        if status >= 400:
            assert reply.json()["error"]["type"] == "stepdown_error"
        assert status != 405 or reply.headers["allow"]


ROOTS = ["conversations", "threads", "vector_stores", "rerank", "fine_tuning/jobs", "decisions"]


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("before", ["", "/v1", "/v1/v1"])
def test_the_apis_root_may_be_left_out_or_come_twice(start, world, ask, before, root):
    start()
    assert ask("GET", f"{before}/{root}/x%2Fy?after=z").status == 200
    assert world.upstream.seen[-1][1] == f"/v1/{root}/x%2Fy?after=z"


@pytest.mark.parametrize("before", ["", "/v1", "/v1/v1"])
def test_our_own_paths_take_any_root(start, world, ask, body, before):
    start(client_keys=("one",), api_key="k")
    key = {"authorization": "Bearer one"}
    assert ask("POST", f"{before}/route", body()).status == 401
    assert ask("POST", f"{before}/route", body(), key).json()["decision"] == "answered"
    reply = ask("POST", f"{before}/chat/completions", body(), key)
    assert reply.decision() == ("answered", "confident")
    assert ask("GET", f"{before}/models/../files", headers=key).status == 404
    assert world.upstream.seen == []


def test_readyz_shows_what_is_and_what_is_not(start, world, ask, wait):
    start()
    shown = ask("GET", "/readyz")
    assert shown.status == 200
    ready = shown.json()
    assert (ready["status"], ready["generation"], ready["tasks"]) == ("ready", 1, 1)
    assert ready["routes"] == {"id-intents": "live"}
    assert ready["upstream"]["reachable"]
    assert ready["capture"]["error"] == ""


def test_o2_an_upstream_that_is_down_at_start(start, ask, complete, body, wait, caplog):
    start(base_url="http://127.0.0.1:1/v1")
    wait(lambda: ask("GET", "/readyz").json()["upstream"]["problem"])
    assert ask("GET", "/readyz").status == 200
    assert complete(body()).status == 200
    assert any("does not answer" in record.message for record in caplog.records)


def test_a_gateway_with_nothing_to_serve_is_not_ready(start, world, ask, complete, body):
    world.routed = False
    start(base_url=None)
    shown = ask("GET", "/readyz")
    assert (shown.status, shown.json()["status"]) == (503, "nothing to serve")
    reply = complete(body())
    assert (reply.status, reply.decision()) == (503, ("relayed", "no_route"))
    assert ask("POST", "/v1/embeddings", b"{}").status == 503


def test_s2_client_keys(start, world, ask, complete, body):
    start(client_keys=("one", "two"), api_key="upstream-key")
    for path, method in (("/v1/models", "GET"), ("/v1/route", "POST"), ("/v1/files", "GET")):
        assert ask(method, path).status == 401
    refused = complete(body())
    assert (refused.status, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    assert complete(body(), {"authorization": "Bearer onetwo"}).status == 401
    assert complete(body(), {"authorization": "Bearer two"}).status == 200
    assert complete(body(), {"x-api-key": "one"}).status == 200
    assert ask("GET", "/healthz").status == 200
    complete(body("hm"), {"authorization": "Bearer two"})
    assert "two" not in str(world.upstream.seen[-1][2])
    assert ask("GET", "/v1/files", headers={"authorization": "Bearer one"}).status == 200


def test_a_key_that_the_upstream_never_accepted_gets_no_local_answer(start, world, complete, body):
    start(host="0.0.0.0")
    key = {"authorization": "Bearer k"}
    world.upstream.fault = "status:401"
    assert complete(body(), key).status == 401
    world.upstream.fault = ""
    assert complete(body(), key).decision() == ("relayed", "forced")
    assert complete(body(), key).decision() == ("answered", "confident")
    assert complete(body(), {"authorization": "Bearer other"}).decision() == ("relayed", "forced")


def test_an_unforeseen_failure_is_one_clear_500(start, monkeypatch, complete, body, caplog):
    def broken(*given):
        raise RuntimeError("private details")

    monkeypatch.setattr("stepdown.serve.answering.estimated_usage", broken)
    start()
    reply = complete(body())
    assert reply.status == 500
    assert reply.json()["error"]["code"] == "internal_error"
    assert b"private details" not in reply.body
    assert any("A request failed" in record.message for record in caplog.records)


def test_a_path_forges_no_line_of_the_log(start, ask, caplog):
    start(verbose=True)
    with caplog.at_level("INFO", "stepdown.serve"):
        ask("GET", "/v1/models/x%0aGET%20/v1/forged%20200", headers={"user-agent": "a\x85b"})
    (said,) = [r.getMessage() for r in caplog.records if "forged" in r.getMessage()]
    assert len(said.splitlines()) == 1
    assert "x\\nGET" in said


def test_p4_the_access_log_has_no_prompt_and_no_key(start, complete, body, caplog):
    start(verbose=True)
    with caplog.at_level("INFO", "stepdown.serve"):
        complete(body("hello"), {"authorization": "Bearer sk-secret"})
    logged = [r.message for r in caplog.records if "/v1/chat/completions" in r.message]
    assert len(logged) == 1
    assert "answered/confident" in logged[0]
    assert not any(word in logged[0] for word in ("hello", "sk-secret"))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**20, 10**400)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def mutated(body, field, value, cut):
    sent = {**body("hello"), field: value}
    data = json.dumps(sent).encode("utf-8", "surrogatepass")
    return data[: len(data) - cut]


@pytest.fixture
def fuzzed(start, complete, body):
    start()

    def check(field, value, cut):
        reply = complete(mutated(body, field, value, cut))
        assert reply.status in (200, 400, 404), (field, value)
        if reply.status != 200:
            assert reply.json()["error"]["message"]

    return check


QUIET = [HealthCheck.function_scoped_fixture]


@settings(max_examples=300, deadline=None, suppress_health_check=QUIET)
@given(st.sampled_from(FIELDS), json_values, st.sampled_from([0, 0, 0, 1, 7]))
def test_s11_no_body_makes_a_5xx(fuzzed, field, value, cut):
    fuzzed(field, value, cut)


@pytest.mark.nightly
@settings(max_examples=10_000, deadline=None, suppress_health_check=QUIET)
@given(st.sampled_from(FIELDS), json_values, st.integers(0, 20))
def test_s11_10_000_bodies_make_no_5xx(fuzzed, field, value, cut):
    fuzzed(field, value, cut)


@settings(max_examples=150, deadline=None, suppress_health_check=QUIET)
@given(st.binary(max_size=200))
def test_s11_no_bytes_make_a_5xx(fuzzed_bytes, data):
    fuzzed_bytes(data)


@pytest.fixture
def fuzzed_bytes(start, complete):
    start()

    def check(data):
        assert complete(data).status in (200, 400)

    return check


def test_r7_more_than_the_gateway_takes_is_refused_at_once(start, world, ask, body, wait):
    world.upstream.fault = "blackhole"
    start(limits=Limits(requests=2), timeouts=Timeouts(answer=30))
    threads = [
        threading.Thread(target=ask, args=("POST", "/v1/chat/completions", body("hm")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    wait(lambda: len(world.upstream.seen) == 2)
    for path, shape in (
        ("/v1/chat/completions", "stepdown_error"),
        ("/v1/messages", "overloaded_error"),
    ):
        began = time.monotonic()
        reply = ask("POST", path, body())
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.json()["error"]["type"] == shape
        assert time.monotonic() - began < 1
    assert ask("GET", "/readyz").status == 200
    world.upstream.release.set()
    for thread in threads:
        thread.join()
    assert ask("POST", "/v1/chat/completions", body()).status == 200
