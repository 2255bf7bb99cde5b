"""How the ledger is shown."""

import json

from stepdown.cli.bill import savings_json, tell_savings
from stepdown.cli.savings import Savings, TaskSavings
from stepdown.cli.student_costs import Made
from stepdown.core.savings import Account

CENT = 10**16
BUSY = Account(
    small=1_234_567,
    mid=45_678,
    frontier=234_567,
    failed=12,
    retried=34,
    audits=24_000,
    estimated=1_234_567,
    paid=123_456 * CENT,
    beside=12 * CENT,
    audit=3_456 * CENT,
    instead=2_345_678 * CENT,
    compared=123_400 * CENT,
    unpriced=17,
    checked=24_000,
    checked_estimate=90 * CENT,
    checked_real=100 * CENT,
)


def savings(*tasks, **more):
    return Savings(tasks, more.pop("unpriced", {}), 0, "genai-prices 1")


def test_the_table_fits_100_columns_and_ends_with_the_sum(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    made = Made(200 * CENT, 5 * CENT, 1)
    tasks = [TaskSavings(f"t{n}", "a-task-with-a-very-long-name" * 2, BUSY, made) for n in range(3)]
    tell_savings(savings(*tasks, unpriced={"m1": 9, "m2": 5, "m3": 2, "m4": 1}))
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[-2].startswith("all")
    assert lines[-1] == "Left out for want of width: made, audits, mid."
    assert "3,703,701" in lines[-2]
    assert "estimate was 10.0 % below the real cost" in told.err
    assert "m1 (9), m2 (5), m3 (2), …" in told.err
    assert "3 costs of labelling or training unknown" in told.err


def test_nothing_captured_shows_nothing(capsys):
    tell_savings(savings(TaskSavings("t", "t", Account(), Made(0, CENT))))
    assert capsys.readouterr() == ("", "")


def test_json_is_in_dollars():
    shown = json.loads(json.dumps(savings_json(savings(TaskSavings("t", "n", BUSY, Made())))))
    assert shown["total"]["paid_usd"] == 1234.56
    assert shown["tasks"][0]["saved_usd"] == 22188.22
    assert shown["total"]["estimate_off_by"] == 0.9 - 1.0
