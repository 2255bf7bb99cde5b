"""Among certified rungs the cheapest call wins, the quickest of equals, never the most accurate."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.train import Candidate, Prices, choose, confidence_shares, expected

PRICES = Prices(teacher_usd=10.0, teacher_ms=800.0, cpu_usd_hour=0.04, audit_share=0.02)
LINEAR = Candidate("linear", 0, 5_000_000, 0.93, 0.80, 0.1)
ENCODER = Candidate("encoder", 22_700_000, 30_000_000, 0.94, 0.86, 4.0)
CHAIN = Candidate("linear → encoder", 0, 35_000_000, 0.94, 0.865, 1.0)
FAILED = Candidate("tuned", 22_700_000, 30_000_000, 0.5, 0.0, 4.0, note="Not enough rows.")


def test_the_cheapest_call_is_taken_and_every_reason_is_given():
    at, reasons = choose([LINEAR, ENCODER, CHAIN, FAILED], PRICES)
    assert at == 2
    assert reasons[0] == "a call costs 41.8 % more"
    assert reasons[2].startswith("taken: the cheapest a call")
    assert reasons[3] == "Not enough rows."


def test_among_equals_the_quickest_is_taken():
    slow = Candidate("slow", 0, 1, 0.99, 0.8655, 9.0)
    at, reasons = choose([slow, CHAIN], PRICES)
    assert at == 1
    assert "quickest of equals" in reasons[1]
    assert reasons[0] == "no cheaper a call than the one taken, and slower"


def test_without_a_price_coverage_decides():
    at, reasons = choose([LINEAR, ENCODER], Prices())
    assert at == 1
    assert reasons[0] == "it answers 6.0 % fewer of the calls"
    assert expected(ENCODER, Prices()) == (None, None)


def test_a_hosted_model_pays_its_own_price():
    mid = Candidate("mid", 0, 0, 0.97, 1.0, 300.0, hosted_usd_per_1000=9.5, waits_ms=300.0)
    assert expected(mid, PRICES)[0] == pytest.approx(9.5 + 0.02 * 10.0)
    assert choose([LINEAR, mid], PRICES)[0] == 0
    cheap = msgspec.structs.replace(mid, hosted_usd_per_1000=0.5)
    assert choose([LINEAR, cheap], PRICES)[0] == 1


def test_nothing_certified_is_nothing_taken():
    silent = Candidate("linear", 0, 1, 0.4, 0.0, 0.1)
    assert choose([FAILED, silent], PRICES) == (
        None,
        ["Not enough rows.", "It answers nothing at this budget."],
    )


@given(st.lists(st.tuples(st.floats(0.05, 1), st.floats(0.01, 100)), min_size=1, max_size=6))
def test_the_one_taken_costs_at_most_a_hundredth_more_than_the_cheapest(drawn):
    candidates = [Candidate(str(n), 0, 1, 0.9, c, p) for n, (c, p) in enumerate(drawn)]
    at, _ = choose(candidates, PRICES)
    costs = [expected(one, PRICES)[0] for one in candidates]
    assert at is not None
    known = [cost for cost in costs if cost is not None]
    assert known[at] <= min(known) * 1.01 + 1e-12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_the_shares_of_all_candidates_are_the_whole_and_the_favourites_is_the_largest(worth):
    shares = confidence_shares(worth)
    assert abs(sum(shares) - 1) < 1e-9
    assert min(shares) > 0
    assert worth[shares.index(max(shares))] == max(worth)


def test_a_model_behind_is_paid_beside_the_cpu():
    backed = Candidate("linear → mid", 0, 1, 0.97, 1.0, 90.1, "", 0.4, waits_ms=90.0)
    # Waiting for it takes no CPU.
    cpu = 0.1 * 0.04 / 3600
    assert expected(backed, PRICES)[0] == pytest.approx(0.4 + 0.02 * 10.0 + cpu)
    assert choose([LINEAR, backed], PRICES)[0] == 1
    unknown = msgspec.structs.replace(
        backed, hosted_usd_per_1000=None, note="Its price is unknown."
    )
    assert expected(unknown, PRICES)[0] is None
    assert choose([LINEAR, unknown], PRICES)[0] == 0
