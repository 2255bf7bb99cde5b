"""What one call costs, for limits of money: by the configuration, else by the kept price list."""

from stepdown.config import Config
from stepdown.core.calls import Answer, Call, Request, Usage
from stepdown.core.keys import NANODOLLARS
from stepdown.core.ports import Price

__all__ = ["flat_rates", "price_by"]

_NOTHING = Request("", ())
_ANSWER = Answer()


def price_by(config: Config) -> Price:
    """Return what calls cost: `usd_per_1000` of their tier where it is stated, else by the list.

    The list is loaded when it is first needed.
    """
    flat = flat_rates(config, NANODOLLARS)

    def price(tier: str, model: str, usage: Usage) -> int | None:
        stated = flat.get(tier)
        return _listed(model, usage) if stated is None and model else stated

    return price


def flat_rates(config: Config, unit: int) -> dict[str, int]:
    """Return what one call costs by tier, where the configuration states it, in so many units to
    the dollar: whatever model the tier answers with."""
    stated = {name: tier.usd_per_1000 for name, tier in config.tiers.items()}
    return {name: round(usd * unit / 1000) for name, usd in stated.items() if usd is not None}


def _listed(model: str, usage: Usage) -> int | None:
    # The list is long to load, and a gateway whose callers have no keys never asks for it.
    from stepdown.audit.prices import ATTODOLLARS, cost_of

    cost = cost_of(Call("", _NOTHING, _ANSWER, model, usage=usage))
    return None if cost is None else -(-cost // (ATTODOLLARS // NANODOLLARS))
