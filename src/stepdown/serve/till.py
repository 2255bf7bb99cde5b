"""The till: what each key may still use, reserved before a request is sent and settled after it.

All of it happens on the event loop, so that between looking and taking nothing can come. Only when
an account's leased money is used up does a request wait, for the purse.
"""

import asyncio
import heapq
import math
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import msgspec

from stepdown.core.calls import Usage
from stepdown.core.keys import (
    NANODOLLARS,
    Allowance,
    Period,
    VirtualKey,
    ends_in_s,
    window_of,
)
from stepdown.core.ports import Price
from stepdown.core.routes import Tier
from stepdown.errors import StepdownError
from stepdown.serve.bounds import Most, most_of
from stepdown.serve.budgets import Budget
from stepdown.serve.desk import Desk
from stepdown.serve.rates import Rate, Slot
from stepdown.serve.replies import Reply, problem
from stepdown.serve.settings import Settings
from stepdown.serve.upstream import Unanswered

__all__ = ["COUNTS", "Account", "Bill", "Till", "Unaffordable"]

_SUCCESS = range(200, 300)
_IDLE_S = 30.0
_ALL = ""  # the account of everybody together
_LONGEST_WAIT_S = 120
_MOST_TOLD = 300  # keys in the metrics; three series each
COUNTS = frozenset(("/messages/count_tokens", "/responses/input_tokens"))
"""Paths that count the tokens of a call without making it."""
_FREE = COUNTS | {"/moderations"}
_PRICED = frozenset(("/embeddings", "/completions"))
"""Paths that are passed on, and whose cost the price list of tokens tells."""
_UNLIMITED = Allowance()


class _Named(msgspec.Struct):
    model: str = ""


_named = msgspec.json.Decoder(_Named)


class Unaffordable(Unanswered):
    """The request was not sent: a limit of its key, or of the whole gateway, has no room for it."""

    @property
    def sent(self) -> bool:
        """Never."""
        return False

    @property
    def is_final(self) -> bool:
        """Whether another try would soon find the same."""
        return self.retry_after_s is None or self.retry_after_s > _LONGEST_WAIT_S


class Account:
    """What one key has used: `asked` and `refused` count its requests since the start."""

    __slots__ = ("asked", "budget", "escalations", "refused", "requests", "tokens")

    def __init__(self) -> None:
        self.requests, self.tokens, self.escalations = Rate(), Rate(), Rate()
        self.budget: Budget | None = None
        self.asked = self.refused = 0


class Till:
    """Keeps the accounts of all keys, and one of everybody together.

    Without a purse no money can be reserved.
    """

    def __init__(self, desk: Desk, settings: Settings) -> None:
        self.accounts: dict[str, Account] = {}
        self._purse = desk.purse
        self._thread = ThreadPoolExecutor(1, "purse")
        self.take_up(settings, desk.price)

    def take_up(self, settings: Settings, price: Price) -> None:
        """Go by these settings and prices from the next request on."""
        self.price = price
        self.unsaid = settings.max_output_tokens
        usd = settings.max_usd_per_hour
        self.per_hour = None if usd is None else round(usd * NANODOLLARS)

    def of(self, key: str) -> Account:
        """Return the account of a key's id."""
        found = self.accounts.get(key)
        if found is None:
            found = self.accounts[key] = Account()
        return found

    def admit(self, key: VirtualKey) -> Reply | None:
        """Count a request of the key; a refusal where it has had its number."""
        account = self.of(key.id)
        account.asked += 1
        most = key.allowance.requests_per_minute
        wait = 0.0 if most is None else account.requests.take(1, most, time.monotonic())
        if not wait or most is None:
            return None
        account.refused += 1
        return _too_much("rate_limited", f"This key may send {most:,} requests a minute", wait)

    def escalating(self, key: VirtualKey | None) -> Reply | None:
        """Count a call that no student answers, though one might have."""
        most = key.allowance.escalations_per_minute if key else None
        if key is None or most is None:
            return None
        account = self.of(key.id)
        wait = account.escalations.take(1, most, time.monotonic())
        if not wait:
            return None
        account.refused += 1
        what = f"This key may have {most:,} calls a minute answered beyond the students"
        return _too_much("rate_limited", what, wait)

    def bill(
        self, key: VirtualKey | None, model: str, body: bytes, tier: Tier = "frontier"
    ) -> "Bill":
        """Return the bill of a request to a model; entering it reserves what it can cost."""
        return Bill(self, key, tier, model, body)

    def passage(self, key: VirtualKey | None, method: str, path: str, body: bytes) -> "Bill":
        """Return the bill of a request that is passed on as it is."""
        below = path.partition("?")[0]
        if method != "POST" or below in _FREE:
            return Bill(self, None, "frontier", "", b"", free=True)
        named = _model_of(body) if below in _PRICED else ""
        bill = self.bill(key, named, body)
        if below == "/embeddings":
            bill.unsaid = 0
        return bill

    def budget(self, key: str) -> Budget:
        """Return the money of a key's id.

        Raises:
            StepdownError: this gateway has nowhere to keep count of it.
        """
        if self._purse is None:
            raise StepdownError("This gateway has no purse, so no money can be spent by a limit.")
        account = self.of(key)
        if account.budget is None:
            account.budget = Budget(key, self._purse, self._thread)
        return account.budget

    async def spending(self, key: VirtualKey | None) -> dict[str, Any] | None:
        """Return what a key (None: the whole gateway) has spent in the present window of its limit;
        None where it has no limit.

        Raises:
            StepdownError: the purse can't be read.
        """
        cap = key.allowance.nanodollars if key else self.per_hour
        if cap is None or self._purse is None:
            return None
        period: Period = key.allowance.period if key else "hour"
        account, window = key.id if key else _ALL, window_of(period, time.time())
        loop = asyncio.get_running_loop()
        aside = await loop.run_in_executor(self._thread, self._purse.spent, account, window)
        budget = self.of(account).budget
        here = budget if budget is not None and budget.window == window else None
        return {
            "window": window,
            "limit_usd": cap / NANODOLLARS,
            "counted_usd": aside / NANODOLLARS,
            "spent_here_usd": (here.spent if here else 0) / NANODOLLARS,
            "reserved_here_usd": (here.reserved if here else 0) / NANODOLLARS,
        }

    def by_key(self) -> dict[str, list[tuple[tuple[str, ...], float]]]:
        """Return each key's gauges by its public id; of many keys the idlest are left out."""
        accounts = ((key, account) for key, account in self.accounts.items() if key != _ALL)
        busiest = heapq.nlargest(_MOST_TOLD, accounts, key=lambda item: item[1].asked)
        return {
            "key_requests": [((key,), account.asked) for key, account in busiest],
            "key_refused": [((key,), account.refused) for key, account in busiest],
            "key_spent_usd": [
                ((key,), account.budget.spent / NANODOLLARS)
                for key, account in busiest
                if account.budget is not None
            ],
        }

    def tidy(self) -> None:
        """Give back what is leased and has not been used for a while."""
        since = time.monotonic() - _IDLE_S
        for account in self.accounts.values():
            if account.budget is not None and account.budget.used_at < since:
                account.budget.give_back()

    async def close(self) -> None:
        """Give back everything that is not spent."""
        for account in self.accounts.values():
            if account.budget is not None:
                account.budget.give_back()
        await asyncio.to_thread(self._thread.shutdown)


class Bill:
    """One request's reservations, from before it is sent until what it cost is known.

    `status` is set once the upstream has answered. What is never known
    stays spent as it was reserved, unless the request was not sent, or failed: that costs nothing.
    """

    __slots__ = (
        "_body",
        "_free",
        "_key",
        "_may",
        "_model",
        "_money",
        "_slot",
        "_tier",
        "_till",
        "status",
        "unsaid",
    )

    def __init__(
        self,
        till: Till,
        key: VirtualKey | None,
        tier: Tier,
        model: str,
        body: bytes,
        *,
        free: bool = False,
    ) -> None:
        self.status = 0
        self.unsaid = till.unsaid
        self._free = free
        self._till = till
        self._key = key
        self._may = key.allowance if key else _UNLIMITED
        self._tier = tier
        self._model = model
        self._body = body
        self._slot: tuple[Slot, int] | None = None
        self._money: list[tuple[Budget, str, int]] = []

    async def __aenter__(self) -> Self:
        """Reserve.

        Raises:
            Unaffordable: it does not fit.
        """
        may, per_hour = self._may, self._till.per_hour
        limited = may.tokens_per_minute is not None or may.usd is not None or per_hour is not None
        if self._free or not limited:
            return self
        try:
            most = most_of(self._body, self.unsaid)
            if may.tokens_per_minute is not None:
                self._take_tokens(most, may.tokens_per_minute)
            if may.usd is not None or per_hour is not None:
                await self._take_money(most)
        except BaseException as refused:
            self._settle(0, 0)
            if self._key is not None and isinstance(refused, Unaffordable):
                self._till.of(self._key.id).refused += 1
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Settle what nobody has told the cost of."""
        unpaid = isinstance(problem, Unanswered) and not problem.sent
        if unpaid or (self.status and self.status not in _SUCCESS):
            self._settle(0, 0)
        for budget, window, reserved in self._money:
            budget.settle(window, reserved, reserved)
        self._money.clear()
        self._slot = None

    @property
    def is_open(self) -> bool:
        """Whether anything is reserved that an answer's usage would settle."""
        return bool(self._money) or self._slot is not None

    def settle(self, used: Usage | None) -> None:
        """Settle by what the whole answer says that it used, if it does say so."""
        if used is not None and self.is_open:
            spent = self._till.price(self._tier, self._model, used) if self._money else 0
            self._settle(spent, used.input_tokens + used.output_tokens)

    def _settle(self, spent: int | None, tokens: int) -> None:
        if spent is not None:
            for budget, window, reserved in self._money:
                budget.settle(window, reserved, spent)
            self._money.clear()
        slot, self._slot = self._slot, None
        if slot is not None and self._key is not None:
            self._till.of(self._key.id).tokens.put_right(slot[0], tokens - slot[1])

    def _take_tokens(self, most: Most, limit: int) -> None:
        assert self._key is not None
        what = f"This key may send {limit:,} tokens a minute"
        if most.guess > limit:
            raise _unaffordable("tokens_exceeded", f"{what}, fewer than are in this request", None)
        tokens = self._till.of(self._key.id).tokens
        # A request may take the whole minute, though its answer could be longer than that.
        amount = min(most.guess + most.output, limit)
        wait = tokens.take(amount, limit, time.monotonic())
        if wait:
            about = f"{what}, and this request may take {amount:,}"
            raise _unaffordable("tokens_exceeded", about, wait)
        self._slot = (tokens.newest(), amount)

    async def _take_money(self, most: Most) -> None:
        if most.unbounded:
            raise Unaffordable(
                403,
                "unbounded_cost",
                f"A request with {most.unbounded!r} can cost anything, and money is limited here; "
                "leave that out, or use a key without such a limit.",
            )
        cost = self._till.price(self._tier, self._model, most.dearest)
        if cost is None:
            what = f"of {self._model[:80]!r} " if self._model else "of a call at this path "
            raise Unaffordable(
                403,
                "price_unknown",
                f"The price {what}is not known, and money is limited here; use a model that has "
                "one, or set usd_per_1000 of its tier in stepdown.toml.",
            )
        cap, key = self._may.nanodollars, self._key
        if cap is not None and key is not None:
            await self._reserve(key.id, cost, cap, self._may.period)
        if self._till.per_hour is not None:
            await self._reserve(_ALL, cost, self._till.per_hour, "hour")

    async def _reserve(self, account: str, cost: int, cap: int, period: Period) -> None:
        try:
            budget = self._till.budget(account)
            fits = await budget.reserve(cost, cap, period)
        except StepdownError as problem:
            raise Unaffordable(503, "budget_unavailable", str(problem), 2) from problem
        if not fits:
            whose = "This key" if account else "This gateway"
            over = "in total" if period == "total" else f"a{'n' * (period == 'hour')} {period}"
            about = (
                f"{whose} may spend ${cap / NANODOLLARS:,.10g} {over}, and what is left of that is "
                f"less than the ${cost / NANODOLLARS:,.10g} that this request can cost"
            )
            raise _unaffordable("budget_exceeded", about, ends_in_s(period, time.time()))
        self._money.append((budget, budget.window, cost))


def _model_of(body: bytes) -> str:
    try:
        return _named.decode(body).model
    except (ValueError, RecursionError):
        return ""


def _unaffordable(code: str, about: str, wait_s: float | None) -> Unaffordable:
    seconds = None if wait_s is None or wait_s == math.inf else math.ceil(wait_s)
    return Unaffordable(429, code, f"{about}.{_then(seconds)}", seconds)


def _too_much(code: str, about: str, wait_s: float) -> Reply:
    seconds = math.ceil(wait_s)
    message = f"{about}.{_then(seconds)}"
    return problem(429, message, code, retry_after_s=seconds, tried=seconds > _LONGEST_WAIT_S)


def _then(seconds: int | None) -> str:
    return "" if seconds is None else f" Try again in {seconds:,} s."
