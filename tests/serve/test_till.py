"""Limits by key over HTTP: each fires, tells when to come back, and lets students' answers pass."""

import asyncio
import json
import math
import sqlite3
import threading
import time
from contextlib import closing

import msgspec
import pytest
from tests.serve import speakers
from tests.spending import read_spending

from stepdown.cli.pricing import price_by
from stepdown.config import Config
from stepdown.core.calls import Usage
from stepdown.core.keys import NANODOLLARS
from stepdown.serve.settings import Settings
from stepdown.serve.till import Till
from stepdown.wire.captured import captured

CALL_USD = 8  # what the double says a call used, at a dollar a token


@pytest.fixture
def keyed(start, world, complete, body):
    """Start a gateway with one key: keyed(**limits) returns ask(text, **fields)."""

    def go(settings=None, **limits):
        key = {"authorization": f"Bearer {world.issue(**limits)}"}
        start(api_key="upstream-key", **(settings or {}))

        def ask(text="hm", **fields):
            return complete(body(text, **{"max_tokens": 10, **fields}), key)

        return ask

    return go


def refusal(reply):
    error = reply.json()["error"]
    return reply.status, error["code"], error["type"]


def test_requests_a_minute_count_students_answers_too(keyed, world):
    ask = keyed(requests_per_minute=3)
    assert [ask(text).status for text in ("hello", "hm", "hello")] == [200] * 3
    refused = ask("hello")
    assert refusal(refused) == (429, "rate_limited", "stepdown_error")
    assert 0 < int(refused.headers["retry-after"]) <= 61
    assert "x-should-retry" not in refused.headers


def test_tokens_a_minute_are_put_right_by_the_answer(keyed, world, body):
    ask = keyed(tokens_per_minute=300)
    assert [ask(max_tokens=100).status for _ in range(8)] == [200] * 8
    world.upstream.completion = lambda model: {
        "usage": {"prompt_tokens": 5, "completion_tokens": 150}
    }
    ask(max_tokens=100)
    refused = ask(max_tokens=100)
    assert refusal(refused) == (429, "tokens_exceeded", "stepdown_error")
    assert refused.headers["retry-after"]
    assert ask("hello").status == 200
    assert refusal(ask("x" * 900))[1] == "tokens_exceeded"


def test_money_is_settled_by_the_answer_and_stops_at_the_cap(keyed, world):
    ask = keyed(usd=400)
    asked = 0
    while ask().status == 200:
        asked += 1
    spent = asked * CALL_USD
    assert 400 - 200 < spent <= 400
    refused = ask()
    assert refusal(refused) == (429, "budget_exceeded", "stepdown_error")
    assert refused.headers["x-should-retry"] == "false"
    assert "retry-after" not in refused.headers
    assert "in total" in refused.json()["error"]["message"]
    assert ask("hello").status == 200
    assert len(world.upstream.seen) == asked
    assert all("usage" not in line or line for line in world.lines())
    world.stop()
    assert read_spending(world.purse._path) == {("0" * 12, "total"): spent * NANODOLLARS}


def test_metrics_tell_of_each_key_by_its_public_id_alone(keyed, world, ask):
    limited = keyed(usd=400, requests_per_minute=3)
    for _ in range(5):
        limited()
    page = ask("GET", "/metrics").body.decode()
    key = "0" * 12
    assert f'stepdown_key_requests{{key="{key}"}} 5.0' in page
    assert f'stepdown_key_refused{{key="{key}"}} 2.0' in page
    assert f'stepdown_key_spent_usd{{key="{key}"}} 24.0' in page
    assert "team" not in page


def test_metrics_are_bounded_in_keys(world):
    till = Till(world.desk(), Settings())
    for number in range(1000):
        till.of(f"{number:012x}").asked = number
    told = till.by_key()["key_requests"]
    assert len(told) == 300
    assert min(asked for _, asked in told) == 700


@pytest.mark.parametrize("limits", [{}, {"usd": 1e9, "tokens_per_minute": 10**9}])
def test_limits_cost_a_request_microseconds(world, limits):
    world.issue(requests_per_minute=10**9, **limits)
    (key,) = world.ring.keys
    till = Till(world.desk(), Settings())
    call = json.dumps({"model": "m", "max_tokens": 50, "messages": ["x" * 500]}).encode()

    async def calls(count):
        for _ in range(count):
            assert till.admit(key) is None
            async with till.bill(key, "m", call) as bill:
                bill.settle(Usage(100, 20))

    async def measured():
        await calls(10)
        best = math.inf
        for _ in range(10):
            began = time.thread_time()
            await calls(300)
            best = min(best, (time.thread_time() - began) / 300)
        await till.close()
        return best * 1e6

    assert asyncio.run(measured()) < 60  # 15 where nothing else runs


def test_a_refused_call_is_not_kept(keyed, world):
    ask = keyed(usd=1)
    assert ask().status == 429
    assert world.lines() == []


def test_a_day_that_is_spent_says_when_the_next_begins(keyed):
    ask = keyed(usd=1, period="day")
    refused = ask()
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert "a day" in refused.json()["error"]["message"]


def test_an_unknown_price_is_refused_and_never_nothing(keyed, world):
    ask = keyed(usd=1000)
    assert refusal(ask(model="priceless")) == (403, "price_unknown", "stepdown_error")
    assert refusal(ask(previous_response_id="r"))[1] == "unbounded_cost"
    assert world.upstream.seen == []


@pytest.mark.parametrize("lasting", ["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"])
@pytest.mark.parametrize("stream", [False, True])
def test_s16_what_is_put_into_a_cache_counts_as_it_is_billed(
    keyed, world, ask, monkeypatch, lasting, stream
):
    written = {"cache_creation_input_tokens": 20_000, "cache_creation": {lasting: 20_000}}
    monkeypatch.setattr(speakers, "USAGE", speakers.USAGE | written)
    world.price = price_by(Config())
    keyed(usd=1.0)
    text = {"type": "text", "text": "word " * 16_000, "cache_control": {"type": "ephemeral"}}
    message = {"model": "claude-sonnet-4-5", "max_tokens": 5, "stream": stream, "system": [text]}
    message["messages"] = [{"role": "user", "content": "x"}]
    key = {"x-api-key": f"sd-{0:012x}-team-{'s' * 40}"}
    answered = 0
    while (reply := ask("POST", "/v1/messages", message, key)).status == 200:
        answered += 1
    assert reply.status == 429
    world.stop()
    price = {"ephemeral_5m_input_tokens": 3_750, "ephemeral_1h_input_tokens": 6_000}[lasting]
    spent = answered * (20_000 * price + 5 * 3_000 + 3 * 15_000)
    assert read_spending(world.purse._path) == {("0" * 12, "total"): spent}
    assert 0 < spent <= NANODOLLARS
    line = captured(json.dumps(world.lines()[0]).encode())
    assert line is not None
    assert price_by(Config())("frontier", line.model, line.usage) == spent // answered


@pytest.mark.parametrize("fault", ["status:501", "status:401", "redirect"])
def test_what_failed_costs_nothing(keyed, world, fault):
    ask = keyed(usd=400)
    world.upstream.fault = fault
    for _ in range(8):
        assert ask().status in (501, 401, 502)
    world.upstream.fault = ""
    assert ask().status == 200


@pytest.mark.parametrize("fault", ["blackhole", "html", "cut:2", "stall:1"])
def test_what_may_have_been_paid_for_stays_spent(keyed, world, wait, fault):
    ask = keyed({"retries": 0}, usd=400)
    world.upstream.fault = fault
    ask(stream=fault != "html")
    ask(stream=fault != "html")
    world.upstream.fault = ""
    world.upstream.release.set()
    assert refusal(ask())[1] == "budget_exceeded"


@pytest.mark.parametrize("status", [200, 0])
def test_what_told_no_usage_is_spent_and_not_under_way_for_ever(world, status):
    world.issue(usd=10**6)
    (key,) = world.ring.keys

    async def go():
        till = Till(world.desk(), Settings())
        async with till.bill(key, "m", b'{"max_tokens": 50}') as bill:
            bill.status = status
            budget = till.of(key.id).budget
            under_way = budget.reserved
        settled = budget.reserved, budget.spent
        await till.close()
        return under_way, settled

    under_way, settled = asyncio.run(go())
    assert under_way > 0
    assert settled == (0, under_way)


def test_embeddings_are_settled_by_their_usage(keyed, world, ask):
    keyed(usd=400)
    key = {"api-key": f"sd-{0:012x}-team-{'s' * 40}"}
    question = {"model": "m", "input": "x" * 160}
    assert [ask("POST", "/v1/embeddings", question, key).status for _ in range(20)] == [200] * 20
    world.stop()
    assert read_spending(world.purse._path) == {("0" * 12, "total"): 20 * NANODOLLARS}


def test_a_stream_is_settled_by_its_usage_whether_the_caller_asks_or_not(keyed, world):
    ask = keyed({"ask_usage": True}, usd=400)
    options = {"stream": True, "stream_options": {"include_usage": True}}
    assert [ask(stream=True).status for _ in range(8)] == [200] * 8
    assert [ask(**options).status for _ in range(8)] == [200] * 8


def test_other_dialects_are_settled_and_refused_in_their_own_words(keyed, world, ask):
    keyed(usd=400)
    whole = {"x-api-key": f"sd-{0:012x}-team-{'s' * 40}"}
    message = {"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "x"}]}
    for _ in range(10):
        assert ask("POST", "/v1/messages", message, whole).status == 200
    message["max_tokens"] = 10_000
    refused = ask("POST", "/v1/messages", message, whole)
    assert refused.status == 429
    assert refused.json()["error"]["type"] == "rate_limit_error"
    answer = ask(
        "POST", "/v1/responses", {"model": "m", "input": "x", "max_output_tokens": 9}, whole
    )
    assert answer.status == 200


def test_what_is_passed_on_is_priced_free_or_refused(keyed, world, ask):
    keyed(usd=400)
    key = {"api-key": f"sd-{0:012x}-team-{'s' * 40}"}
    question = {"model": "m", "input": "x" * 60}
    for _ in range(4):
        assert ask("POST", "/v1/embeddings", question, key).status == 200
    assert ask("GET", "/v1/files", headers=key).status == 200
    for path in ("/v1/messages/count_tokens", "/v1/responses/input_tokens"):
        assert ask("POST", path, {"model": "priceless"}, key).status == 200
    error = ask("POST", "/v1/images/generations", {"model": "m"}, key).json()["error"]
    assert error["code"] == "price_unknown"
    assert error["message"].startswith("The price of a call at this path is not known")
    assert ask("POST", "/v1/embeddings", {"model": "priceless"}, key).status == 403


def test_escalations_a_minute(keyed, complete, body):
    ask = keyed(escalations_per_minute=2)
    assert [ask().decision()[0] for _ in range(2)] == ["escalated"] * 2
    assert refusal(ask()) == (429, "rate_limited", "stepdown_error")
    key = {"authorization": f"Bearer sd-{0:012x}-team-{'s' * 40}", "x-stepdown-bypass": "true"}
    assert complete(body("hello"), key).status == 429
    assert ask("hello").decision() == ("answered", "confident")


def test_a_key_is_for_its_tasks_alone(keyed, ask, body, complete):
    of_task = keyed(tasks=("intents",))
    assert of_task("hello").status == 200
    assert of_task("hm").status == 200
    key = {"authorization": f"Bearer sd-{0:012x}-team-{'s' * 40}"}
    assert refusal(complete(body("x", system="Other."), key))[:2] == (403, "task_not_allowed")
    assert complete(body("hello"), {**key, "x-stepdown-bypass": "1"}).status == 403
    assert ask("POST", "/v1/embeddings", {"model": "m"}, key).status == 403
    assert ask("GET", "/v1/models", headers=key).status == 200


def test_the_whole_gateway_stops_at_its_dollars_an_hour(start, world, complete, body):
    start(api_key="k", max_usd_per_hour=400.0)
    answers = [complete(body("hm", max_tokens=10)) for _ in range(60)]
    spent = sum(reply.status == 200 for reply in answers) * CALL_USD
    assert 200 < spent <= 400
    refused = answers[-1]
    assert refusal(refused)[1] == "budget_exceeded"
    assert "This gateway may spend $400 an hour" in refused.json()["error"]["message"]
    assert complete(body("hello")).status == 200


def test_without_a_purse_that_works_nothing_is_spent(keyed, world, tmp_path, monkeypatch):
    ask = keyed(usd=400)
    monkeypatch.setattr("stepdown.store.spend._BUSY_S", 0.05)
    with closing(sqlite3.connect(tmp_path / "spend.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert refusal(ask()) == (503, "budget_unavailable", "stepdown_error")
    assert ask("hello").status == 200


def test_s16_two_hundred_at_once_spend_no_more_than_the_cap(keyed, world, figure):
    ask = keyed(usd=10 * 200)
    world.upstream.pause = 0.05
    replies = []
    threads = [threading.Thread(target=lambda: replies.append(ask())) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = len(world.upstream.seen)
    statuses = sorted({reply.status for reply in replies})
    assert statuses == [200, 429]
    assert sum(reply.status == 200 for reply in replies) == sent
    assert sent * CALL_USD <= 2000
    world.stop()
    ((_, spent),) = read_spending(world.purse._path).items()
    assert spent == sent * CALL_USD * NANODOLLARS
    figure(f"200 at once on money for 10 reservations: {sent} sent, the rest 429")


def test_a_key_that_is_changed_is_held_to_what_it_says_now(keyed, world, wait):
    ask = keyed(requests_per_minute=1)
    assert [ask("hello").status for _ in range(2)] == [200, 429]
    (key,) = world.ring.keys
    more = msgspec.structs.replace(key.allowance, requests_per_minute=1000)
    wider = msgspec.structs.replace(key, allowance=more)
    world.ring = msgspec.structs.replace(world.ring, generation=9, keys=(wider,))
    wait(lambda: ask("hello").status == 200)
