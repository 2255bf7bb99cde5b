"""Metrics say what became of requests, with labels that no caller can make up."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.serve.test_capture import locked

from stepdown.core.routes import Decision
from stepdown.serve.metrics import Metrics


@pytest.fixture
def counted(ask):
    """counted(name) → the samples of a metric, by their labels' values (by the labels' names)."""

    def go(name, **how):
        page = ask("GET", "/metrics", **how).body.decode()
        return {
            tuple(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name
        }

    return go


def test_requests_are_counted_by_what_became_of_them(start, complete, body, counted, world):
    start()
    complete(body())
    complete(body())
    complete(body("hm"))
    complete(body(system="Another one."))
    world.upstream.fault = "status:429"
    complete(body("hm"))
    found = counted("stepdown_requests_total")
    assert found == {
        ("answered", "confident", "200", "intents", "small"): 2,
        ("escalated", "low_confidence", "200", "intents", "frontier"): 1,
        ("escalated", "low_confidence", "429", "intents", "frontier"): 1,
        ("relayed", "no_route", "200", "", "frontier"): 1,
    }
    assert counted("stepdown_request_seconds_count")["answered", "small"] == 2
    assert counted("stepdown_requests_under_way") == {(): 1}
    assert counted("stepdown_generation") == {(): 1}


def test_p4_no_text_key_or_name_of_a_caller_is_in_it(start, complete, body, ask):
    start()
    secret = {"authorization": "Bearer sk-very-secret", "x-stepdown-task": "made-up"}
    for number in range(30):
        complete(body(f"my password is {number}", model=f"model-{number}"), secret)
        ask("GET", f"/v1/made/up/{number}")
    page = ask("GET", "/metrics").body
    for word in (b"password", b"very-secret", b"made", b"model-"):
        assert word not in page
    assert page.count(b"\n") < 150


def test_s1_elsewhere_than_on_loopback_metrics_need_a_client_key(start, world, ask):
    start(host="0.0.0.0", client_keys=("k1",))
    world.url = world.url.replace("0.0.0.0", "127.0.0.1")
    assert ask("GET", "/metrics").status == 401
    assert ask("GET", "/metrics", None, {"authorization": "Bearer k1"}).status == 200


def test_p4_an_upstream_can_make_up_few_labels(start, world, complete, body, counted):
    start(retries=0)
    for status in (418, 451, 477, 429, 404):
        world.upstream.fault = f"status:{status}"
        complete(body("hm"))
    statuses = {labels[2] for labels in counted("stepdown_requests_total")}
    assert statuses == {"4xx", "429", "404"}


def test_p4_there_are_never_more_than_a_thousand_label_sets(figure):
    metrics = Metrics(dict)
    for number in range(3000):
        metrics.began()
        metrics.ended(Decision("relayed", "no_route", "frontier"), f"task-{number}", 200, 0.1)
    page = metrics.page().decode()
    found = [line for line in page.splitlines() if line.startswith("stepdown_requests_total")]
    figure(f"{len(found)} label sets of 3,000 tasks")
    assert len(found) <= 1000
    assert 'task="(other)"' in page


def test_tokens_and_first_bytes_are_counted_by_tier(start, complete, body, counted):
    start()
    complete(body())
    complete(body("hm"))
    complete(body("hm", stream=True))
    tokens = counted("stepdown_tokens_total")
    assert tokens["input", "frontier"] == 5
    assert tokens["output", "frontier"] == 3
    assert tokens["input", "small"] > 0
    assert counted("stepdown_first_byte_seconds_count") == {("frontier",): 1}


def test_each_upstream_has_its_breaker(start, world, complete, body, counted):
    start(retries=0)
    world.upstream.fault = "blackhole"
    for _ in range(5):
        complete(body("hm"))
    world.upstream.release.set()
    at = ("frontier", f"{world.upstream.url}/v1")
    assert counted("stepdown_breaker_open") == {at: 1}
    assert counted("stepdown_requests_at") == {at: 0}


def test_capture_tells_what_waits_and_that_it_fails(
    start, world, complete, body, counted, ask, wait
):
    start()
    complete(body())
    assert counted("stepdown_capture_committed") == {(): 1}
    assert counted("stepdown_capture_waiting_bytes") == {(): 0}
    assert counted("stepdown_capture_failing") == {(): 0}
    with locked(world.path):
        complete(body())
        assert counted("stepdown_capture_waiting") == {(): 1}
        assert counted("stepdown_capture_waiting_bytes")[()] > 100
        assert counted("stepdown_capture_failing") == {(): 1}
    wait(lambda: counted("stepdown_capture_failing") == {(): 0})
    for line in ask("GET", "/metrics").body.decode().splitlines():
        if line.startswith("# HELP stepdown_"):
            name, text = line.split(" ", 3)[2:]
            assert text not in (name, name.removeprefix("stepdown_"))
