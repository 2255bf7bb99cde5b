"""What would make a task cheaper: the ways without training first, then the student.

Each has its saving a month, what it risks, and what it rests on. Savings are of the log's own
month; they overlap, so they don't add up.
"""

import math
import re

import msgspec

from stepdown.audit.ledger import ModelSpend
from stepdown.audit.prices import UnitPrices, has_batch_price, unit_prices
from stepdown.audit.verdicts import YEAR_DAYS, AuditTerms, break_even_days
from stepdown.core import display
from stepdown.core.tasks import MONTH_DAYS, Option, Signature, Verdict

__all__ = ["Bill", "advised", "cheaper_sibling", "options", "prefix_tokens"]

_CACHED_FROM = 1_024
"""Tokens of the shortest beginning that OpenAI and Anthropic cache."""
_CACHED_MINUTES = 5.0
_CHARS_PER_TOKEN = 4.0
_BATCH_SHARE = 0.5
_DATED = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{8})$")
_SMALLER = (
    *(("-pro", "-flash"), ("-flash", "-flash-lite")),
    *(("opus", "haiku"), ("sonnet", "haiku"), ("large", "small"), ("medium", "small")),
)


class Bill(msgspec.Struct, frozen=True):
    """What a task's calls are and cost; None is unknown.

    Tokens are means of a call: `read`, of which `cached`, and `written`. `prefix` is how many of
    them always begin a request. `closed` says that every answer is one of a closed set, `mix` what
    each model's calls cost, `batched` which share of the calls came in batches.
    """

    model: str
    usd_month: float | None
    calls_month: float | None
    read: float | None = None
    written: float | None = None
    cached: float = 0.0
    prefix: float = 0.0
    repeats: float = 0.0
    self_agreement: float | None = None
    closed: bool = False
    mix: tuple[ModelSpend, ...] = ()
    batched: float = 0.0


def options(bill: Bill, verdict: Verdict, terms: AuditTerms) -> tuple[Option, ...]:
    """Return the ways there are, those of a known saving first and the largest of them first."""
    found = [_cheaper(bill), _prompt_caching(bill), _repeats(bill), _batch(bill), _decisions(bill)]
    if verdict.decision == "distil":
        found.append(_student(verdict, terms))
    known = [option for option in found if option is not None]
    return tuple(sorted(known, key=lambda o: -(o.saving_usd_month or 0.0)))


def advised(verdict: Verdict, ways: tuple[Option, ...], terms: AuditTerms) -> Verdict:
    """Return the verdict in the light of the other ways: not for the money, where they do as well.

    What a student would save is of what is left once the ways that change no answer are taken.
    """
    own = verdict.saving_usd_month
    if verdict.decision != "distil" or not own:
        return verdict
    others = [w for w in ways if w.name != "student" and (w.saving_usd_month or 0.0) > 0]
    lossless = max((w.saving_usd_month or 0.0 for w in others if w.lossless), default=0.0)
    # The saving is at most this share of the spend: what is expected, less the audit.
    spend = own / (terms.expected_coverage * (1.0 - terms.audit_share))
    left = own * max(0.0, 1.0 - lossless / spend)
    days = break_even_days(left, terms)
    best = max(others, key=lambda w: w.saving_usd_month or 0.0, default=None)
    if days is not None and days > YEAR_DAYS:
        name = next(w.name for w in others if w.saving_usd_month == lossless)
        why = (
            f"Don't distil this for the money: {name} alone saves {display.money(lossless)} a"
            f" month, and leaves a small model {display.money(left)} to save."
        )
        return Verdict("not worth it", (why, *verdict.reasons), 0, left, _finite(days))
    if best is not None and (best.saving_usd_month or 0.0) >= own:
        why = (
            f"Not for the money alone: {best.name} would save"
            f" {display.money(best.saving_usd_month)} a month without any training, a small model"
            f" {display.money(own)}. Its price: {best.risk}."
        )
        return msgspec.structs.replace(verdict, reasons=(*verdict.reasons, why))
    return verdict


def prefix_tokens(signature: Signature, tools_json: str) -> float:
    """Return how many tokens always begin a request: tools, and the prompt to its first hole."""
    constant = len(tools_json) if tools_json != "[]" else 0
    for template in (signature.system, signature.history, signature.user):
        constant += len(template.fragments[0])
        if len(template.fragments) > 1:
            break
    return constant / _CHARS_PER_TOKEN


def cheaper_sibling(model: str) -> str | None:
    """Return the next smaller model of the same maker that has a lower price, or None."""
    plain = _DATED.sub("", model)
    candidates = [plain.replace("-mini", "-nano")] if "-mini" in plain else []
    candidates += [plain.replace(old, new) for old, new in _SMALLER if old in plain]
    candidates += [f"{plain}-mini", f"{plain}-nano"]
    own = unit_prices(model)
    for candidate in candidates:
        price = unit_prices(candidate) if candidate != plain else None
        if own and price and price.read <= own.read and price.written < own.written:
            return candidate
    return None


def _cheaper(bill: Bill) -> Option | None:
    if bill.usd_month is None or bill.read is None or bill.written is None:
        return None
    mix = bill.mix or (ModelSpend(bill.model, 1, bill.read, bill.written),)
    other = cheaper_sibling(max(mix, key=lambda one: one.cost).model)
    price = unit_prices(other or "")
    if other is None or price is None:
        return None
    saved = sum(one.cost * _cut(one, price) for one in mix) / sum(one.cost for one in mix)
    dearer = ", where a dearer model answers" if len(mix) > 1 else ""
    return Option(
        f"{other} instead",
        bill.usd_month * saved,
        "its answers may differ; `stepdown train TASK --mid` measures how often",
        f"list prices, at {bill.read:,.0f} tokens in and {bill.written:,.0f} out a call{dearer}",
    )


def _cut(one: ModelSpend, price: UnitPrices) -> float:
    """Return which share of what a model's calls cost another saves; no less than nothing."""
    own = unit_prices(one.model)
    now = one.read * own.read + one.written * own.written if own else 0.0
    then = one.read * price.read + one.written * price.written
    return max(0.0, 1.0 - then / now) if now > 0 else 0.0


def _prompt_caching(bill: Bill) -> Option | None:
    price = unit_prices(bill.model)
    if price is None or bill.calls_month is None or bill.read is None:
        return None
    more = min(bill.prefix, bill.read) - bill.cached
    if bill.prefix < _CACHED_FROM or more <= 0 or price.cached >= price.read:
        return None
    in_time = bill.calls_month / (MONTH_DAYS * 24 * 60) * _CACHED_MINUTES
    hits = 1.0 - math.exp(-in_time)
    return Option(
        "prompt caching",
        bill.calls_month * more * (price.read - price.cached) * hits,
        "none to the answers",
        f"{bill.prefix:,.0f} tokens always begin a request; {display.share(hits)} of the calls"
        " come within five minutes of another",
        lossless=True,
    )


def _repeats(bill: Bill) -> Option | None:
    if bill.usd_month is None or bill.repeats <= 0:
        return None
    agrees = bill.self_agreement
    itself = "" if agrees is None else f"; the teacher repeats itself in {display.share(agrees)}"
    return Option(
        "exact-repeat caching",
        bill.usd_month * bill.repeats,
        f"an answer stays as it was first given{itself}",
        f"{display.share(bill.repeats)} of the calls repeat an earlier input word for word",
        lossless=agrees is not None and agrees >= 1.0,
    )


def _batch(bill: Bill) -> Option | None:
    if bill.usd_month is None or not has_batch_price(bill.model) or bill.batched >= 1.0:
        return None
    # Those in batches cost half already: of what is spent the others have the larger part.
    dear = (1.0 - bill.batched) / (1.0 - bill.batched * _BATCH_SHARE)
    return Option(
        "batch price",
        bill.usd_month * dear * _BATCH_SHARE,
        "answers may take up to 24 hours",
        "half price in the provider's batch API",
    )


def _decisions(bill: Bill) -> Option | None:
    if not bill.closed:
        return None
    return Option(
        "a decisions endpoint",
        None,
        'its answers may differ; `[tiers.mid] api = "decisions"` and `train TASK --mid` tell',
        "every answer is one of a closed set; its price is the endpoint's",
    )


def _student(verdict: Verdict, terms: AuditTerms) -> Option:
    return Option(
        "student",
        verdict.saving_usd_month,
        f"at most {display.percent(terms.budget)} of all calls answered differently, certified",
        f"{display.percent(terms.expected_coverage)} of the calls without a free field answered",
        verdict.break_even_days,
    )


def _finite(days: float) -> float | None:
    return days if math.isfinite(days) else None
