import random
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.prices import ATTODOLLARS, cost_of, prices_as_of
from stepdown.core.calls import Answer, Call, Request, Usage

MODELS = ["gpt-4o", "gpt-4o-mini-2024-07-18", "claude-sonnet-4-5", "gemini-2.5-pro"]
JANUARY = datetime(2026, 1, 15, 12, tzinfo=UTC).timestamp()


USUAL = Usage(1000, 100)


def call(model="gpt-4o", usage=USUAL, **more):
    return Call("1", Request(model, ()), Answer("x"), model, usage=usage, **more)


def known_cost(one):
    cost = cost_of(one)
    assert cost is not None
    return cost


@given(
    st.sampled_from(MODELS),
    st.integers(0, 400_000),
    st.integers(0, 50_000),
    st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_c13_kept_unit_prices_give_what_the_library_gives(model, tokens, output, shares):
    cached = int(tokens * shares[0])
    written = int((tokens - cached) * shares[1])
    hour = int(written * shares[2]) if model.startswith("claude") else 0
    expected = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=tokens,
            output_tokens=output,
            cache_read_tokens=cached,
            cache_write_tokens=written,
            cache_write_1h_tokens=hour,
        ),
        model,
        genai_request_timestamp=datetime.fromtimestamp(JANUARY, UTC),
    ).total_price
    usage = Usage(tokens, output, cached, written - hour, hour)
    cost = cost_of(call(model, usage, time=JANUARY))
    assert cost is not None
    assert abs(Decimal(cost) / ATTODOLLARS - expected) < Decimal("1e-12")


def test_golden_invoice():
    # 400 × (900 fresh at $2.50 + 100 cached at $1.25 + 20 out at $10) a million tokens.
    invoice = [known_cost(call(usage=Usage(1000, 20, 100), time=JANUARY)) for _ in range(400)]
    assert sum(invoice) / ATTODOLLARS == pytest.approx(1.03, abs=1e-9)


def test_c13_a_golden_invoice_of_cache_writes():
    # 1,000 fresh at $3, 10,000 written at $3.75 or, for an hour, $6, 100,000 read at $0.30, 100 out
    # at $15 a million tokens.
    costs = [
        known_cost(call("claude-sonnet-4-5", Usage(111_000, 100, 100_000, *written), time=JANUARY))
        for written in ((10_000,), (0, 10_000), (4_000, 6_000))
    ]
    assert [cost * 10**6 / ATTODOLLARS for cost in costs] == [72_000, 94_500, 85_500]


def test_an_hour_without_a_price_of_its_own_is_twice_what_is_read():
    usage = Usage(1000, 0, 0, 0, 1000)
    routed = call("openrouter/anthropic/claude-sonnet-4.6", usage)
    read = msgspec.structs.replace(routed, usage=Usage(1000, 0))
    assert known_cost(routed) == 2 * known_cost(read) > 0


def test_what_is_written_is_never_cheaper_than_read():
    # The list has only what is added for storage.
    name = "openrouter/google/gemini-2.5-flash"
    read, written = (known_cost(call(name, Usage(1000, 0, 0, kept))) for kept in (0, 1000))
    assert written == read > 0


def test_sums_do_not_depend_on_order():
    costs = [known_cost(call(cost_usd=usd)) for usd in (1e-7, 3.1, 0.1, 0.2, 1e6, 7e-9)]
    total = sum(costs)
    for seed in range(5):
        random.Random(seed).shuffle(costs)
        assert sum(costs) == total


@pytest.mark.parametrize(
    "name",
    ["openai/gpt-4o-2024-08-06", "azure/gpt-4o", "openrouter/openai/gpt-4o", "GPT-4o"],
)
def test_names_with_a_provider_or_a_date_are_the_same_model(name):
    assert cost_of(call(name)) == cost_of(call("gpt-4o"))


@pytest.mark.parametrize("name", ["my-own-model", "ft:gpt-4o-mini:acme::1", "", "/", "a/b/c"])
def test_a_model_without_a_known_price_costs_unknown(name):
    assert cost_of(call(name)) is None


def test_a_model_with_a_price_for_input_alone_costs_unknown():
    assert cost_of(call("text-embedding-3-small")) is None


IMPOSSIBLE = [Usage(-1, 5), Usage(5, -1), Usage(5, 1, 6), Usage(5, 1, -1), Usage(5, 1, 2, 2, 2)]


@pytest.mark.parametrize("usage", [None, *IMPOSSIBLE])
def test_tokens_that_are_missing_or_impossible_cost_unknown(usage):
    assert cost_of(call(usage=usage)) is None


def test_the_log_s_own_cost_wins():
    assert cost_of(call("my-own-model", None, cost_usd=0.25)) == ATTODOLLARS // 4
    assert cost_of(call(cost_usd=0.0)) == 0


@pytest.mark.parametrize("stated", [-0.1, float("nan"), float("inf")])
def test_an_impossible_stated_cost_is_unknown(stated):
    assert cost_of(call(cost_usd=stated)) is None


def test_a_batch_takes_half_where_the_maker_has_one():
    for model in ("gpt-4o", "claude-sonnet-4-5"):
        assert 2 * known_cost(call(model, batched=True)) == known_cost(call(model))
    assert cost_of(call("deepseek-chat", batched=True)) == cost_of(call("deepseek-chat"))
    assert cost_of(call("no-such-model", batched=True)) is None


def test_our_own_student_costs_no_tokens():
    assert cost_of(call("stepdown/x", tier="small")) == 0


def at(*when):
    return datetime(*when, tzinfo=UTC).timestamp()


def test_prices_are_those_of_the_call_s_own_day():
    # o3 became five times cheaper on 2025-06-10.
    before, after = (known_cost(call("o3", time=at(2025, 6, day))) for day in (9, 10))
    assert before == 5 * after


def test_prices_are_those_of_the_call_s_own_hour():
    night, day = (
        known_cost(call("deepseek-chat", time=at(2025, 3, 5, hour, 40))) for hour in (23, 9)
    )
    assert day > night


@pytest.mark.parametrize("time", [-5.0, 1e18, float("nan")])
def test_an_impossible_time_takes_today_s_price(time):
    assert cost_of(call(time=time)) == cost_of(call())


def test_the_price_data_is_named():
    assert prices_as_of().startswith("genai-prices 0.")
