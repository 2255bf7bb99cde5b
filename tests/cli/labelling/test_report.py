"""What is told before and after answers are paid for."""

from collections import Counter

import msgspec
from rich.console import Console

from stepdown.audit.prices import ATTODOLLARS
from stepdown.cli.labelling.report import (
    Estimate,
    Paid,
    estimate_json,
    estimate_lines,
    paid_json,
    paid_lines,
    paid_table,
)
from stepdown.core.labels import Spend
from stepdown.label.asking import Sitting

ESTIMATE = Estimate(3, 2000, 7, 90_000, 4_000, ATTODOLLARS // 4, 2 * ATTODOLLARS, 300.0)


def paid(**more):
    sitting = Sitting(Counter(answered=90, refused=2), Counter({"rate limited": 4}), 96, left=1)
    spend = Spend(ATTODOLLARS // 2, 92, 1, 3, 2, ATTODOLLARS)
    return Paid("tickets", "big", "r1", 92, sitting, spend, held=5, gone=6, **more)


def test_the_estimate_in_words():
    told = " ".join(estimate_lines("tickets", "big", ESTIMATE))
    for part in ("2,000 questions", "3 are there", "7 questions", "$0.25", "$2.00", "5 min"):
        assert part in told, part
    unknown = Estimate(0, 1, 0, 5, None, None, None, None)
    told = " ".join(estimate_lines("tickets", "big", unknown))
    assert "the log does not tell how many are written: at most unknown." in told
    assert "$" not in told
    assert "already" not in told


def test_the_estimate_as_json():
    told = estimate_json("tickets", "big", ESTIMATE)
    assert (told["items"], told["expected_usd"], told["at_most_usd"]) == (2000, 0.25, 2.0)


def test_every_class_has_its_row():
    console = Console(width=100, record=True)
    console.print(paid_table(paid()))
    told = console.export_text()
    for part in (
        "answered",
        "refused",
        "rate limited",
        "left",
        "held",
        "gone",
        "double",
        "useless",
    ):
        assert part in told, part


def test_money_and_why_there_is_no_more():
    assert list(paid_lines(paid())) == [
        "92 answers so far for $0.50, at most $1.00, in all sittings of this run."
    ]
    assert "no more calls" in list(paid_lines(paid(fewer=True)))[1]
    capped = paid(fewer=True)
    capped.sitting.capped = True
    assert "cap is reached" in list(paid_lines(capped))[1]
    capped.sitting.calls = 0
    assert "max_tokens" in list(paid_lines(capped))[1]


def test_the_result_as_json_is_exact():
    told = paid_json(paid())
    assert told["spend"]["attodollars"] == ATTODOLLARS // 2
    assert told["spend"]["possible_double_payments"] == 3
    assert (told["outcomes"], told["held"]) == ({"answered": 90, "refused": 2}, 5)


def test_a_spend_that_nobody_knows_is_not_zero():
    unknown = msgspec.structs.replace(paid(), spend=Spend(0, 40, 40, at_most=None))
    told = paid_json(unknown)["spend"]
    assert (told["usd"], told["attodollars"], told["unpriced"]) == (None, None, 40)
    assert "$0" not in next(paid_lines(unknown))
    assert paid_json(msgspec.structs.replace(paid(), spend=Spend()))["spend"]["usd"] == 0


def test_what_was_not_asked_is_left():
    assert paid_json(paid(left=57))["left"] == 57


def test_one_item_and_no_difference_are_said_so():
    assert "1 item was asked about" in " ".join(paid_lines(paid(twice=(1, 1))))
    told = " ".join(paid_lines(paid(twice=(2, 0))))
    assert "2 items were asked" in told
    assert "disputed" not in told
