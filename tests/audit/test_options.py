"""Ways to pay less, without training and with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.ledger import ModelSpend
from stepdown.audit.options import Bill, advised, cheaper_sibling, options, prefix_tokens
from stepdown.audit.prices import unit_prices
from stepdown.audit.verdicts import AuditTerms
from stepdown.core.tasks import Signature, Verdict
from stepdown.core.templates import Template

TERMS = AuditTerms()
DISTIL = Verdict("distil", ("fit",), 0, 68.6, 0.4)
BILL = Bill("gpt-4o", 100.0, 30_000.0, 1_500.0, 20.0)


def named(bill, verdict=DISTIL):
    return {way.name: way for way in options(bill, verdict, TERMS)}


@pytest.mark.parametrize(
    ("model", "cheaper"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o-mini"),
        ("gpt-5-mini", "gpt-5-nano"),
        ("gemini-2.5-pro", "gemini-2.5-flash"),
        ("gemini-2.5-flash", "gemini-2.5-flash-lite"),
        ("claude-opus-4-5", "claude-haiku-4-5"),
        ("gpt-5-nano", None),
        ("our-own-model", None),
    ],
)
def test_the_next_smaller_model_of_the_same_maker(model, cheaper):
    assert cheaper_sibling(model) == cheaper


def test_a_cheaper_model_is_priced_at_the_calls_own_tokens():
    way = named(BILL)["gpt-4o-mini instead"]
    own, other = unit_prices("gpt-4o"), unit_prices("gpt-4o-mini")
    assert own is not None
    assert other is not None
    now, then = (1_500 * p.read + 20 * p.written for p in (own, other))
    assert way.saving_usd_month == pytest.approx(100 * (1 - then / now))
    assert not way.lossless


def test_a_cheaper_model_saves_where_a_dearer_one_answers():
    mix = (
        ModelSpend("gpt-4.1-nano", 756, 5_880, 420),
        ModelSpend("gpt-4o-2024-08-06", 27_000, 8_400, 600),
        ModelSpend("gpt-4o-mini", 1_134, 5_880, 420),
        ModelSpend("ours", 1_110, 0, 0),
    )
    bill = Bill("gpt-4.1-nano", 100.0, 30_000.0, 42.0, 3.0, mix=mix)
    way = named(bill)["gpt-4o-mini instead"]
    own, other = unit_prices("gpt-4o"), unit_prices("gpt-4o-mini")
    assert own is not None
    assert other is not None
    now, then = (42 * p.read + 3 * p.written for p in (own, other))
    assert way.saving_usd_month == pytest.approx(100 * 27_000 / 30_000 * (1 - then / now))
    assert way.basis.endswith("where a dearer model answers")


def test_prompt_caching_saves_what_is_read_again_in_time():
    bill = Bill("gpt-4o", 100.0, 3_000_000.0, 2_000.0, 20.0, prefix=1_600.0)
    price = unit_prices("gpt-4o")
    assert price is not None
    way = named(bill)["prompt caching"]
    whole = 3_000_000 * 1_600 * (price.read - price.cached)
    assert way.saving_usd_month == pytest.approx(whole, rel=1e-3)
    assert way.lossless
    rare = named(Bill("gpt-4o", 1.0, 300.0, 2_000.0, 20.0, prefix=1_600.0))["prompt caching"]
    assert (rare.saving_usd_month or 0) < 0.1 * whole / 10_000
    for less in ({"prefix": 1_000.0}, {"prefix": 1_600.0, "cached": 1_600.0}):
        assert "prompt caching" not in named(Bill("gpt-4o", 9.0, 3e6, 2_000.0, 20.0, **less))


def test_repeats_batches_and_closed_choices():
    bill = Bill("gpt-4o", 100.0, 3e4, 9.0, 1.0, repeats=0.3, self_agreement=0.97, closed=True)
    found = named(bill)
    assert found["exact-repeat caching"].saving_usd_month == pytest.approx(30.0)
    assert "97.0 %" in found["exact-repeat caching"].risk
    assert found["batch price"].saving_usd_month == pytest.approx(50.0)
    assert found["a decisions endpoint"].saving_usd_month is None
    assert "batch price" not in named(Bill("our-own-model", 100.0, 3e4))
    # Half of the calls are in batches: they are a third of the spend, which nothing is saved of.
    half = named(Bill("gpt-4o", 75.0, 3e4, batched=0.5))
    assert half["batch price"].saving_usd_month == pytest.approx(25.0)
    assert "batch price" not in named(Bill("gpt-4o", 50.0, 3e4, batched=1.0))


def test_what_is_unknown_is_no_saving():
    unknown = Verdict("distil", ("fit",))
    found = options(Bill("gpt-4o", None, None), unknown, TERMS)
    assert [(way.name, way.saving_usd_month) for way in found] == [("student", None)]


@given(st.floats(0, 1), st.floats(0.01, 1e6), st.sampled_from(["gpt-4o", "claude-opus-4-5", "x"]))
def test_no_way_saves_more_than_there_is(repeats, spend, model):
    bill = Bill(model, spend, 1e4, 500.0, 9.0, repeats=repeats)
    for way in options(bill, Verdict("not possible"), TERMS):
        assert way.saving_usd_month is None or 0 <= way.saving_usd_month <= spend


def test_where_caching_leaves_nothing_it_is_not_worth_it():
    bill = Bill("gpt-4o", 100.0, 3e4, 9.0, 1.0, repeats=0.9999, self_agreement=1.0)
    small = Verdict("distil", ("fit",), 0, 5.0, 6.0)
    found = advised(small, options(bill, small, TERMS), TERMS)
    assert found.decision == "not worth it"
    assert found.reasons[0].startswith("Don't distil this for the money: exact-repeat caching")


def test_where_another_way_saves_more_it_says_so_and_at_which_price():
    found = advised(DISTIL, options(BILL, DISTIL, TERMS), TERMS)
    assert found.decision == "distil"
    assert "gpt-4o-mini instead would save" in found.reasons[-1]
    assert "may differ" in found.reasons[-1]


def test_where_no_way_does_the_verdict_stands():
    bill = Bill("our-own-model", 100.0, 3e4, 9.0, 1.0)
    assert advised(DISTIL, options(bill, DISTIL, TERMS), TERMS) == DISTIL
    other = Verdict("more data")
    assert advised(other, options(BILL, other, TERMS), TERMS) == other


def test_a_beginning_ends_at_the_first_hole():
    system, user = Template(("x" * 400,)), Template(("y" * 40, ""))
    single = Template(("",))
    assert prefix_tokens(Signature(system=system, history=single, user=user), "[]") == 110.0
    assert prefix_tokens(Signature(system=system, user=user), "[]") == 100.0
    assert prefix_tokens(Signature(system=Template(("x" * 40, "")), user=user), "[]") == 10.0
    assert prefix_tokens(Signature(system=system), "t" * 80) == 120.0
