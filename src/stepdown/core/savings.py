"""What the gateway saved: what was paid, against what the asked-for models would have cost.

All money is in whole attodollars (1e-18 USD): sums are exact, in whatever order and in however many
parts the calls are read. None is *unknown*: it is counted, and stands in no sum.
"""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Literal

import msgspec

from stepdown.core.calls import Usage

__all__ = [
    "Account",
    "Captured",
    "Cost",
    "Spent",
    "bill",
    "by_audits",
    "merged",
    "off_by",
]

Cost = Callable[[str, str, float | None, Usage], int | None]
"""cost(tier, model, time, usage) → attodollars, or None where the price is unknown."""

Kind = Literal["answer", "audit", "failure"]


class Spent(msgspec.Struct, frozen=True):
    """A question that was paid for beside the one that answered; `usage` None: unknown."""

    tier: str
    model: str
    usage: Usage | None = None


class Captured(msgspec.Struct, frozen=True):
    """Of a captured exchange what its bill is made of.

    `asked` is the model that the caller named, `model` the one that answered. `usage` is None where
    nobody told it, `estimated` says that it is our own estimate. An audit asks about an answer that
    was given already: `audit_of` is that call's id. Of a failure, `unbilled` says that no provider
    asks money for it. `retried` counts how often an upstream was asked again, `beside` are other
    questions that were paid for.
    """

    asked: str
    model: str
    task: str = ""
    tier: str = ""
    time: float | None = None
    usage: Usage | None = None
    estimated: bool = False
    audit_of: str = ""
    failed: bool = False
    unbilled: bool = False
    retried: int = 0
    beside: tuple[Spent, ...] = ()
    decision: str = ""
    reason: str = ""

    @property
    def kind(self) -> Kind:
        """What the money was for: the caller's answer, an audit, or nothing."""
        if self.audit_of:
            return "audit"
        return "failure" if self.failed else "answer"


class Account(msgspec.Struct, frozen=True):
    """Calls and their money, summed up.

    `small`, `mid` and `frontier` are calls answered by that tier; `failed` are those that nobody
    answered, `retried` what the upstream was asked again, `audits` the answers that were asked of
    another tier as well, to audit a student or to compare models, `estimated` the answers whose
    tokens are our estimate. `paid` is all that is known to have been paid for callers' calls
    (`beside` of it for questions whose answers were not given), `audit` for audits. `instead` is
    what the asked-for models would have cost in the calls of which both amounts are known, and
    `compared` what those were paid. `unpriced` calls and `unpriced_audits` have an unknown amount.
    `checked` audits tell how good the estimates are: by them the audited calls cost
    `checked_estimate`, and really `checked_real`. `guessed` is the part of `instead` that rests on
    estimates.
    """

    small: int = 0
    mid: int = 0
    frontier: int = 0
    failed: int = 0
    retried: int = 0
    audits: int = 0
    estimated: int = 0
    paid: int = 0
    beside: int = 0
    audit: int = 0
    instead: int = 0
    compared: int = 0
    unpriced: int = 0
    unpriced_audits: int = 0
    checked: int = 0
    checked_estimate: int = 0
    checked_real: int = 0
    guessed: int = 0

    def saving(self, made: int = 0) -> int:
        """Return what was saved, less audits and `made`: what labelling and training have cost."""
        return self.instead - self.compared - self.audit - made


def bill(call: Captured, cost: Cost, audited: Captured | None = None) -> Account:
    """Return one captured exchange as an account; `audited` is the call that it is the audit of."""
    if call.kind == "audit":
        return _audit(call, cost, audited)
    own = _paid(call, cost)
    amounts = [
        own,
        *(_cost(cost, one.tier, one.model, call.time, one.usage) for one in call.beside),
    ]
    known = [amount for amount in amounts if amount is not None]
    paid, instead = sum(known), _instead(call, cost, own)
    compared = instead is not None and len(known) == len(amounts)
    by = "failed" if call.failed else call.tier
    return Account(
        small=int(by == "small"),
        mid=int(by == "mid"),
        frontier=int(by not in ("small", "mid", "failed")),
        failed=int(by == "failed"),
        retried=call.retried,
        estimated=int(call.estimated and not call.failed),
        paid=paid,
        beside=paid - (own or 0),
        instead=(instead or 0) if compared else 0,
        compared=paid if compared else 0,
        unpriced=int(not compared),
        guessed=(instead or 0) if compared and call.estimated else 0,
    )


def merged(accounts: Iterable[Account]) -> Account:
    """Return the sum of the accounts."""
    return reduce(_plus, accounts, Account())


def off_by(account: Account) -> float | None:
    """Return by which share the estimates differ from the real costs, above 0 where they are too
    high; None where no audit tells."""
    if not account.checked_real:
        return None
    return account.checked_estimate / account.checked_real - 1.0


def by_audits(account: Account) -> int | None:
    """Return what `instead` is when its estimates are as far off as the audited ones were."""
    if not account.checked_estimate:
        return None
    real = account.guessed * account.checked_real // account.checked_estimate
    return account.instead - account.guessed + real


def _plus(left: Account, right: Account) -> Account:
    both = zip(msgspec.structs.astuple(left), msgspec.structs.astuple(right), strict=True)
    return Account(*(mine + other for mine, other in both))


def _audit(call: Captured, cost: Cost, audited: Captured | None) -> Account:
    tier = call.tier or "frontier"
    paid = 0 if call.unbilled else _cost(cost, tier, call.model, call.time, call.usage)
    if paid is None and _relayed(call):
        paid = _cost(cost, tier, call.asked, call.time, call.usage)
    account = Account(
        audits=1,
        retried=call.retried,
        audit=paid or 0,
        unpriced_audits=int(paid is None),
    )
    if not paid or audited is None or not audited.estimated:
        return account
    guess = _cost(cost, tier, call.model, call.time, audited.usage)
    if guess is None:
        guess = _cost(cost, tier, call.asked, call.time, audited.usage)
    if guess is None:
        return account
    return msgspec.structs.replace(account, checked=1, checked_estimate=guess, checked_real=paid)


def _paid(call: Captured, cost: Cost) -> int | None:
    """Return what the answer itself cost; a student's is free, and so is a refused request."""
    if call.unbilled or (call.tier == "small" and not call.failed):
        return 0
    usage = None if call.estimated else call.usage
    paid = _cost(cost, call.tier, call.model, call.time, usage)
    if paid is None and _relayed(call):
        return _cost(cost, call.tier, call.asked, call.time, usage)
    return paid


def _instead(call: Captured, cost: Cost, paid: int | None) -> int | None:
    """Return what the model that was asked for would have cost."""
    if call.unbilled or _relayed(call):
        # A failure would have been one there as well; what was relayed saves nothing.
        return paid
    return _cost(cost, "frontier", call.asked, call.time, call.usage)


def _relayed(call: Captured) -> bool:
    """Say whether the call went where it would have gone without us.

    The answering model's name is often another than the one that was asked for: a date is added, or
    a deployment has a name of its own. A fall-back's saving is not claimed.
    """
    return call.tier not in ("small", "mid")


def _cost(cost: Cost, tier: str, model: str, time: float | None, usage: Usage | None) -> int | None:
    return cost(tier, model, time, usage) if usage is not None and model else None
