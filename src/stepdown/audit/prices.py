"""What a call cost: the log's own figure, else tokens times a kept price, else unknown.

Prices come from the data bundled with genai-prices; nothing is fetched. The library needs ~80 µs a
call, so its unit prices are kept by model and half hour, and the library itself is asked only
where a call's price is not linear in its tokens. Money is counted in whole attodollars (1e-18 USD):
sums are exact, and the same in whatever order a log is read.
"""

import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import genai_prices
import msgspec
from genai_prices.types import ModelPrice, PriceCalculation, TieredPrices

from stepdown.core.calls import Call, Usage

__all__ = [
    "ATTODOLLARS",
    "UnitPrices",
    "cost_of",
    "has_batch_price",
    "plausible",
    "prices_as_of",
    "unit_prices",
]

ATTODOLLARS = 10**18
"""Attodollars in one US dollar."""

_BATCHED = re.compile(r"^(?:[\w-]+/)?(?:gpt|o\d|chatgpt|claude|gemini|mistral|ministral|codestral)")
_SLOT_SECONDS = 1800  # prices that depend on the time of day change on the half hour
_LAST_SECOND = 253_402_300_799  # of the year 9999, the last that datetime knows
_UNPRICED = (LookupError, ValueError)
# A call of text and tokens uses no other unit of tokens; any of `_FLAT` is beside them.
_LINEAR = (
    *("input_mtok", "output_mtok", "cache_read_mtok"),
    *("cache_write_mtok", "cache_write_5m_mtok", "cache_write_1h_mtok"),
)
_FLAT = ("requests_kcount", "input_mchars", "input_text_messages_kcount")


class _Rates(msgspec.Struct, frozen=True):
    """Attodollars a token; only valid up to `ceiling` input tokens, where a dearer tier begins."""

    input: int
    output: int
    cached: int
    ceiling: float


class UnitPrices(msgspec.Struct, frozen=True):
    """US dollars for a token that is read, written, or read from the provider's cache."""

    read: float
    written: float
    cached: float


def unit_prices(model: str) -> UnitPrices | None:
    """Return a model's list prices today, below any dearer tier; None where they are unknown."""
    rates = _rates(model, None)
    if rates is None:
        return None
    return UnitPrices(*(each / ATTODOLLARS for each in (rates.input, rates.output, rates.cached)))


def prices_as_of() -> str:
    """Return which price data is in use: the bundled library's name and version."""
    return f"genai-prices {version('genai-prices')}"


def cost_of(call: Call) -> int | None:
    """Return what `call` cost in attodollars, or None when that is unknown.

    The log's own cost wins. A call that one of our own students answered cost no tokens. Prices
    are those of the call's own time, or today's where it has none, and half of that in a batch.
    """
    stated = call.cost_usd
    if stated is not None:
        return round(stated * ATTODOLLARS) if math.isfinite(stated) and stated >= 0 else None
    if call.tier == "small":
        return 0
    usage = call.usage
    if usage is None or not plausible(usage):
        return None
    cost = _listed(call, usage)
    return -(-cost // 2) if cost and call.batched and has_batch_price(call.model) else cost


def has_batch_price(model: str) -> bool:
    """Say whether the model's maker has a batch API, which takes half the price."""
    return _BATCHED.match(model) is not None


def _listed(call: Call, usage: Usage) -> int | None:
    slot = _slot(call.time)
    rates = _rates(call.model, slot)
    if rates is None or usage.input_tokens > rates.ceiling:
        return rates and _exact(call.model, slot, usage)
    written = usage.cache_writes + usage.cache_writes_1h
    cost = (
        (usage.input_tokens - usage.cached_tokens - written) * rates.input
        + usage.cached_tokens * rates.cached
        + usage.output_tokens * rates.output
    )
    if not written:
        return cost
    usual, hour = _written(call.model, slot)
    return cost + usage.cache_writes * usual + usage.cache_writes_1h * hour


def _slot(time: float | None) -> int | None:
    if time is None or not 0 <= time <= _LAST_SECOND:
        return None
    return int(time // _SLOT_SECONDS)


def plausible(usage: Usage) -> bool:
    """Say whether an API can have counted so: what can't be is as good as unknown."""
    parts = (usage.cached_tokens, usage.cache_writes, usage.cache_writes_1h)
    return usage.output_tokens >= 0 and min(parts) >= 0 and sum(parts) <= usage.input_tokens


@lru_cache(maxsize=65_536)
def _rates(model: str, slot: int | None) -> _Rates | None:
    calculation = _ask(model, slot, Usage(1, 1))
    if calculation is None:
        return None
    price = calculation.model_price
    ceiling = _ceiling(price)
    fresh, output, cached = (
        _exact(model, slot, usage) for usage in (Usage(1, 0), Usage(0, 1), Usage(1, 0, 1))
    )
    if fresh is None or output is None or cached is None:
        return None
    return _Rates(fresh, output, cached, ceiling)


@lru_cache(maxsize=65_536)
def _written(model: str, slot: int | None) -> tuple[int, int]:
    """Return attodollars for a token put into the cache: as usual, and for an hour.

    Where the list has no price of an hour it is twice that of a token read, as all are that it has.
    """
    fresh, usual, hour = (
        _exact(model, slot, Usage(1, 0, 0, *kept)) or 0 for kept in ((), (1,), (0, 1))
    )
    found = _ask(model, slot, Usage(1, 0))
    listed = found is not None and vars(found.model_price).get("cache_write_1h_mtok") is not None
    return usual, hour if listed else max(usual, 2 * fresh)


def _ceiling(price: ModelPrice) -> float:
    known: dict[str, Any] = vars(price)
    if any(known.get(unit) is not None for unit in _FLAT):
        return -1.0
    tiers = [known[unit] for unit in _LINEAR if isinstance(known.get(unit), TieredPrices)]
    return min((tier.start for tiered in tiers for tier in tiered.tiers), default=math.inf)


def _exact(model: str, slot: int | None, usage: Usage) -> int | None:
    # What is put into a cache is read as well: some lists have only what is added for that.
    plain = Usage(usage.input_tokens, usage.output_tokens, usage.cached_tokens)
    found = [_ask(model, slot, one) for one in {usage, plain}]
    return max((round(one.total_price * ATTODOLLARS) for one in found if one), default=None)


def _ask(model: str, slot: int | None, usage: Usage) -> PriceCalculation | None:
    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_writes + usage.cache_writes_1h,
        cache_write_1h_tokens=usage.cache_writes_1h,
    )
    when = None if slot is None else datetime.fromtimestamp(slot * _SLOT_SECONDS, UTC)
    for name, provider in _readings(model):
        try:
            calculation = genai_prices.calc_price(
                tokens, name, provider_id=provider, genai_request_timestamp=when
            )
        except _UNPRICED:
            continue
        if _has_token_price(calculation.model_price):
            return calculation
    return None


def _readings(model: str) -> list[tuple[str, str | None]]:
    """Return (name, provider) as `model` may be read: "openai/gpt-4o" names its provider."""
    prefix, slash, rest = model.partition("/")
    if slash and prefix and rest:
        return [(rest, prefix), (model, None)]
    return [(model, None)]


def _has_token_price(price: ModelPrice) -> bool:
    """Say whether input and output both have a price: without one, the total is not a total."""
    known: dict[str, Any] = vars(price)
    return known.get("input_mtok") is not None and known.get("output_mtok") is not None
