"""Prices for limits: as stated for a tier, else by the list, rounded up, unknown told as such."""

import pytest

from stepdown.cli.pricing import price_by
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
    assert price("gpt-4o", Usage(1_000_000, 0)) == round(2.5 * NANODOLLARS)
    assert price("gpt-4o", Usage(0, 1_000_000)) == 10 * NANODOLLARS
    assert price("own", Usage(5, 5)) == NANODOLLARS // 2000
    for unknown in ("no-such-model", "", "stepdown/x"):
        assert price(unknown, Usage(5, 5)) is None


def test_a_frontier_without_a_model_states_the_price_of_every_other(tiers):
    tiers["frontier"] = TierConfig("http://u", usd_per_1000=2.0)
    price = price_by(Config(tiers=tiers))
    assert price("anything", Usage(5, 5)) == NANODOLLARS // 500
    assert price("own", Usage(5, 5)) == NANODOLLARS // 2000


def test_a_price_is_never_rounded_down():
    price = price_by(Config())
    assert price("gpt-4o", Usage(1, 0)) == 2500
    assert price("gpt-4o-mini", Usage(3, 0, 1)) == 375
    assert price("gpt-5-nano", Usage(1, 0, 1)) == 5
