"""What one call costs, for limits of money: by the configuration, else by the kept price list."""

from stepdown.config import Config
from stepdown.core.calls import Answer, Call, Request, Usage
from stepdown.core.keys import NANODOLLARS
from stepdown.core.ports import Price

__all__ = ["price_by"]

_NOTHING = Request("", ())
_ANSWER = Answer()


def price_by(config: Config) -> Price:
    """Return what calls cost: `usd_per_1000` where the model's tier states it, else by the list.

    A tier states it for the model that it names; a frontier that names none for every other. The
    list is loaded when it is first needed.
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
        return _listed(model, usage)

    return price


def _listed(model: str, usage: Usage) -> int | None:
    # The list is long to load, and a gateway whose callers have no keys never asks for it.
    from stepdown.audit.prices import ATTODOLLARS, cost_of

    cost = cost_of(Call("", _NOTHING, _ANSWER, model, usage=usage))
    return None if cost is None else -(-cost // (ATTODOLLARS // NANODOLLARS))
