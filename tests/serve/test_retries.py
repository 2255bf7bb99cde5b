"""R-3: retries within a budget, as the upstream says, and off where they are set off."""

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from stepdown.serve.retries import RetryBudget, pause_s
from stepdown.serve.settings import Limits
from stepdown.wire.retry_after import PASSING

SOON = {"retry-after-ms": "1"}


@given(st.lists(st.booleans(), max_size=400))
def test_retries_never_are_more_than_a_fifth_of_the_requests_and_three(steps):
    budget = RetryBudget()
    asked = taken = 0
    for retry in steps:
        if retry:
            taken += budget.take()
        else:
            asked += 1
            budget.asked()
        assert taken <= 3 + 0.2 * asked + 1e-6


def test_five_requests_pay_for_one_retry():
    budget = RetryBudget(least=0)
    for _ in range(5):
        budget.asked()
    assert [budget.take(), budget.take()] == [True, False]


@pytest.mark.parametrize("status", [200, 304, 400, 401, 403, 404, 422, 501])
def test_what_stays_as_it_is_is_not_tried_again(status):
    assert pause_s(status, {}, 0) is None


@pytest.mark.parametrize("status", sorted(PASSING))
def test_what_may_be_another_in_a_moment_is_tried_again(status):
    assert pause_s(status, {}, 0) is not None


@given(st.integers(0, 4))
def test_pauses_grow(attempt):
    pause = pause_s(503, {}, attempt)
    assert pause is not None
    assert 0.125 * 2**attempt <= pause <= 0.25 * 2**attempt


def test_the_upstreams_word_counts():
    assert pause_s(429, {"retry-after-ms": "40"}, 0) == pytest.approx(0.04)
    assert pause_s(429, {"retry-after": "1"}, 3) == 1.0
    assert pause_s(429, {"retry-after": "30"}, 0) is None
    assert pause_s(503, {"x-should-retry": "false"}, 0) is None
    assert pause_s(503, {"retry-after": "soon"}, 0) is not None
    late = format_datetime(datetime.now(UTC) + timedelta(hours=1))
    assert pause_s(503, {"retry-after": late}, 0) is None
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1))
    assert pause_s(503, {"retry-after": past}, 0) == 0.0


@pytest.fixture
def flaky(world):
    """An upstream that fails as often as `fails` says, each time asking to come back at once."""
    upstream = world.upstream
    upstream.fails = []

    async def fail(request, body, argument):
        if upstream.fails and upstream.fails.pop(0):
            return web.json_response({"error": {"message": "no"}}, status=503, headers=SOON)
        return await upstream._answer(request, body)

    upstream._flaky = fail
    upstream.fault = "flaky"
    return upstream


def test_r3_a_passing_failure_is_not_the_callers(start, flaky, complete, body, world):
    flaky.fails = [True, True, False]
    start()
    reply = complete(body("hm"))
    assert reply.status == 200
    assert len(flaky.seen) == 3
    (line,) = world.lines()
    assert line["response"] is not None


def test_r3_the_last_failure_says_that_it_was_tried(start, flaky, complete, body):
    flaky.fails = [True] * 9
    start()
    reply = complete(body("hm"))
    assert (reply.status, reply.headers["x-should-retry"]) == (503, "false")
    assert len(flaky.seen) == 3


def test_r3_off_it_does_not(start, flaky, complete, body):
    flaky.fails = [True] * 9
    start(retries=0)
    reply = complete(body("hm"))
    assert reply.status == 503
    assert "x-should-retry" not in reply.headers
    assert len(flaky.seen) == 1


def test_r3_in_a_storm_the_upstream_is_asked_a_quarter_more_at_most(start, flaky, complete, body):
    flaky.fails = [number % 2 == 0 for number in range(1000)]
    start()
    asked = 100
    for _ in range(asked):
        complete(body("hm"))
    retried = len(flaky.seen) - asked
    assert retried <= 0.2 * asked + 3
    assert len(flaky.seen) <= 1.25 * asked


def test_r3_a_stream_is_tried_again_before_its_first_byte(start, flaky, complete, body):
    flaky.fails = [True, False]
    start()
    reply = complete(body("hm", stream=True))
    assert reply.status == 200
    assert reply.body.endswith(b"data: [DONE]\n\n")


def test_r8_more_than_may_be_under_way_are_refused(start, world, raw, body, ask, wait):
    world.upstream.fault = "blackhole"
    start(limits=Limits(upstream_requests=2))
    threads = [
        threading.Thread(target=ask, args=("POST", "/v1/chat/completions", body("hm")))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    wait(lambda: len(world.upstream.seen) == 2)
    reply = ask("POST", "/v1/chat/completions", body("hm"))
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert ask("POST", "/v1/chat/completions", body()).status == 200
    world.upstream.release.set()
    for thread in threads:
        thread.join()


def test_r3_a_date_that_no_clock_has_is_no_word():
    for year in ("99999999999999999999", "0000", "10000"):
        told = {"retry-after": f"Mon, 01 Jan {year} 00:00:00 GMT"}
        assert pause_s(503, told, 0) is not None


@given(st.text() | st.builds("Mon, {} Jan {} {}:00:00 GMT".format, *[st.integers()] * 3))
def test_s15_any_word_of_an_upstream_can_be_read(text):
    pause = pause_s(503, {"retry-after": text, "retry-after-ms": text}, 0)
    assert pause is None or 0 <= pause <= 2
