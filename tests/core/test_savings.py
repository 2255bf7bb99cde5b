"""The arithmetic of savings: laws, and one invoice worked out by hand."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Usage
from stepdown.core.savings import Account, Captured, Spent, bill, by_audits, merged, off_by

DOLLAR = 10**18
RATES = {
    "big": (Decimal("2.50"), Decimal("10.00"), Decimal("1.25")),
    "big-2026": (Decimal("2.50"), Decimal("10.00"), Decimal("1.25")),
    "cheap": (Decimal("0.15"), Decimal("0.60"), Decimal("0.075")),
}
"""US dollars for a million tokens: given, made, given from the cache."""


def cost(tier, model, time, usage):
    if model not in RATES:
        return None
    fresh, made, cached = RATES[model]
    tokens = (usage.input_tokens - usage.cached_tokens, usage.output_tokens, usage.cached_tokens)
    paid = sum(count * rate for count, rate in zip(tokens, (fresh, made, cached), strict=True))
    return int(paid * DOLLAR / 1_000_000)


usages = st.builds(Usage, st.integers(1, 10**6), st.integers(0, 10**6), st.just(0)) | st.none()
models = st.sampled_from(["big", "big-2026", "cheap", "nobody-knows", ""])
calls = st.builds(
    Captured,
    asked=models,
    model=models,
    tier=st.sampled_from(["small", "mid", "frontier", ""]),
    usage=usages,
    estimated=st.booleans(),
    audit_of=st.sampled_from(["", "", "other"]),
    failed=st.booleans(),
    unbilled=st.booleans(),
    retried=st.integers(0, 5),
    beside=st.lists(st.builds(Spent, st.just("mid"), models, usages), max_size=3).map(tuple),
)
accounts = st.builds(Account, **dict.fromkeys(Account.__struct_fields__, st.integers(0, 10**30)))


@given(st.lists(accounts), st.integers(0, 5), st.randoms())
def test_accounts_add_up_in_any_order_and_in_any_parts(found, at, chance):
    whole = merged(found)
    assert merged([merged(found[:at]), merged(found[at:])]) == whole
    chance.shuffle(found)
    assert merged(found) == whole
    assert merged([whole, Account()]) == whole


@given(calls, calls | st.none())
def test_c13_every_call_is_on_the_bill_once_and_nothing_unknown_is_in_a_sum(call, audited):
    account = bill(call, cost, audited)
    assert account.small + account.mid + account.frontier + account.failed + account.audits == 1
    assert account.retried == call.retried
    assert 0 <= account.compared <= account.paid
    assert 0 <= account.beside <= account.paid
    assert 0 <= account.guessed <= account.instead
    if account.unpriced:
        assert account.instead == account.compared == 0
    if account.unpriced_audits:
        assert account.audit == 0
    assert (account.checked_real > 0) == bool(account.checked)


@given(calls)
def test_what_was_relayed_saves_nothing(call):
    relayed = msgspec.structs.replace(call, tier="frontier", audit_of="", beside=())
    assert bill(relayed, cost).saving() == 0


@given(st.lists(calls), st.integers(0, 10**20), st.integers(0, 10**20))
def test_a_saving_falls_by_what_was_made_and_audited(found, made, more):
    account = merged(bill(call, cost) for call in found)
    assert account.saving(made) - account.saving(made + more) == more
    dearer = msgspec.structs.replace(account, audit=account.audit + more)
    assert account.saving(made) - dearer.saving(made) == more


def test_c13_a_golden_invoice():
    log = [
        # Two answers of a student, estimated; one was asked for of a model without a price.
        Captured("big", "big", "t", "small", usage=Usage(1_000, 10), estimated=True),
        Captured("nobody-knows", "x", "t", "small", usage=Usage(9_999, 9), estimated=True),
        # A cheaper model's answer, and one of its that was not given: the frontier's was.
        Captured("big", "cheap", "t", "mid", usage=Usage(2_000, 100)),
        Captured(
            "big", "big-2026", "t", "frontier", usage=Usage(3_000, 200, 1_000), retried=1,
            beside=(Spent("mid", "cheap", Usage(3_000, 50)),),
        ),
        # Refused by the provider: free. Broken off: nobody knows.
        Captured("big", "", "t", "frontier", failed=True, unbilled=True),
        Captured("big", "", "t", "frontier", failed=True, retried=2),
        # The audit of the first.
        Captured("big", "big", "t", "frontier", usage=Usage(1_250, 8), audit_of="1"),
        # A cheaper model that told no tokens: what was paid is unknown.
        Captured("big", "cheap", "t", "mid", usage=Usage(500, 5), estimated=True),
    ]  # fmt: skip
    account = merged(bill(call, cost, log[0] if call.audit_of else None) for call in log)
    counted = (account.small, account.mid, account.frontier, account.failed, account.audits)
    assert counted == (2, 2, 1, 2, 1)
    assert (account.retried, account.estimated, account.unpriced) == (3, 3, 3)
    # By hand, in dollars: 2,000 × 0.15 + 100 × 0.60; 2,000 × 2.50 + 1,000 × 1.25 + 200 × 10, each a
    # million; beside 3,000 × 0.15 + 50 × 0.60.
    assert account.paid / DOLLAR == pytest.approx(0.00036 + 0.00825 + 0.00048, abs=1e-9)
    assert account.beside / DOLLAR == pytest.approx(0.00048, abs=1e-9)
    # 1,000 × 2.50 + 10 × 10; 2,000 × 2.50 + 100 × 10; the relayed one as it was paid.
    assert account.instead / DOLLAR == pytest.approx(0.0026 + 0.006 + 0.00825, abs=1e-9)
    assert account.audit / DOLLAR == pytest.approx(0.003205, abs=1e-9)
    made = 2 * 10**15
    expected = 0.0026 + (0.006 - 0.00036) - 0.00048 - 0.003205 - 0.002
    assert account.saving(made) / DOLLAR == pytest.approx(expected, abs=1e-9)
    assert off_by(account) == pytest.approx(0.0026 / 0.003205 - 1)
    assert account.guessed / DOLLAR == pytest.approx(0.0026, abs=1e-9)
    by_them = by_audits(account)
    assert by_them is not None
    assert by_them / DOLLAR == pytest.approx(0.003205 + 0.006 + 0.00825, abs=1e-9)


def test_a_comparison_with_a_cheaper_model_costs_what_that_takes():
    compared = Captured("big", "cheap", tier="mid", usage=Usage(1_000_000, 0), audit_of="1")
    account = bill(compared, cost, Captured("big", "big", usage=Usage(1_000_000, 0)))
    assert (account.audits, account.audit, account.checked) == (1, 15 * DOLLAR // 100, 0)
    unknown = msgspec.structs.replace(compared, model="nobody-knows")
    assert bill(unknown, cost).unpriced_audits == 1


def test_no_audit_tells_nothing_of_the_estimates():
    assert off_by(Account()) is None
    assert by_audits(Account()) is None


def test_an_audit_of_a_real_count_checks_no_estimate():
    audit = Captured("big", "big", usage=Usage(10, 1), audit_of="1")
    given_by_mid = Captured("big", "cheap", tier="mid", usage=Usage(10, 1))
    assert bill(audit, cost, given_by_mid).checked == 0
    assert bill(audit, cost, None).checked == 0
