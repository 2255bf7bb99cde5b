"""Prices for limits: as stated for a tier, else by the list, rounded up, unknown told as such."""

import pytest

from stepdown.audit.prices import ATTODOLLARS
from stepdown.cli.pricing import price_by
from stepdown.cli.savings import _cost
from stepdown.config import Config, TierConfig
from stepdown.core.calls import Usage
from stepdown.core.keys import NANODOLLARS


@pytest.fixture
def tiers():
    return {
        "frontier": TierConfig("http://u", model="gpt-4o"),
        "mid": TierConfig("http://m", model="own", usd_per_1000=0.5),
    }


def test_the_list_and_what_is_stated(tiers):
    price = price_by(Config(tiers=tiers))
    assert price("frontier", "gpt-4o", Usage(1_000_000, 0)) == round(2.5 * NANODOLLARS)
    assert price("frontier", "gpt-4o", Usage(0, 1_000_000)) == 10 * NANODOLLARS
    assert price("mid", "own", Usage(5, 5)) == NANODOLLARS // 2000
    for unknown in ("no-such-model", "", "stepdown/x"):
        assert price("frontier", unknown, Usage(5, 5)) is None


def test_a_tier_states_the_price_of_whatever_it_answers_with_as_the_ledger_has_it(tiers):
    tiers["frontier"] = TierConfig("http://u", model="gpt-4o", usd_per_1000=2.0)
    config = Config(tiers=tiers)
    price, cost = price_by(config), _cost(config)
    for tier, model, usd in (
        ("frontier", "gpt-4o", 0.002),
        ("frontier", "gpt-4o-mini", 0.002),
        ("frontier", "own", 0.002),
        ("mid", "own", 0.0005),
        ("mid", "gpt-4o", 0.0005),
        ("small", "gpt-4o", 0.0000625),
    ):
        assert price(tier, model, Usage(5, 5)) == round(usd * NANODOLLARS), (tier, model)
        assert cost(tier, model, None, Usage(5, 5)) == round(usd * ATTODOLLARS), (tier, model)
    assert price("small", "own", Usage(5, 5)) is None


def test_a_price_is_never_rounded_down():
    price = price_by(Config())
    assert price("frontier", "gpt-4o", Usage(1, 0)) == 2500
    assert price("frontier", "gpt-4o-mini", Usage(3, 0, 1)) == 375
    assert price("frontier", "gpt-5-nano", Usage(1, 0, 1)) == 5
