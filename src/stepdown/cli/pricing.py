"""What one call costs, for limits of money: by the configuration, else by the kept price list."""

from stepdown.audit.prices import ATTODOLLARS, cost_of
from stepdown.config import Config
from stepdown.core.calls import Answer, Call, Request, Usage
from stepdown.core.keys import NANODOLLARS
from stepdown.core.ports import Price

__all__ = ["price_by"]

_NOTHING = Request("", ())
_ANSWER = Answer()
_ATTO_A_NANO = ATTODOLLARS // NANODOLLARS


def price_by(config: Config) -> Price:
    """Return what calls cost: `usd_per_1000` where the model's tier states it, else by the list.

    A tier states it for the model that it names; a frontier that names none for every other.
    """
    flat: dict[str, int] = {}
    others: int | None = None
    for name, tier in config.tiers.items():
        if tier.usd_per_1000 is None:
            continue
        each = round(tier.usd_per_1000 * NANODOLLARS / 1000)
        if tier.model is not None:
            flat[tier.model] = each
        elif name == "frontier":
            others = each

    def price(model: str, usage: Usage) -> int | None:
        stated = flat.get(model, others)
        if stated is not None or not model:
            return stated
        cost = cost_of(Call("", _NOTHING, _ANSWER, model, usage=usage))
        return None if cost is None else -(-cost // _ATTO_A_NANO)

    return price
