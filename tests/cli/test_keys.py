"""`stepdown keys`: made, listed and revoked; shown once."""

import json
import time

import pytest
from tests.workspace.test_init import task

from stepdown.cli import main
from stepdown.core.keys import window_of
from stepdown.store.spend import SqlitePurse
from stepdown.workspace import Workspace
from stepdown.workspace.keys import read_keys


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("STEPDOWN_WORKSPACE", raising=False)

    def go(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["keys", *arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    return go


def test_a_key_is_printed_once_and_alone_on_stdout(run, tmp_path):
    status, out, err = run("add", "team", "--rpm", "60", "--usd-per-day", "5")
    assert status == 0
    whole = out.strip()
    assert "60 requests a minute, $5.00 a day" in err
    assert whole not in err
    (key,) = read_keys(tmp_path / ".stepdown/keys.json").keys
    assert (key.allowance.requests_per_minute, key.allowance.usd) == (60, 5.0)
    _, out, err = run("list")
    assert whole not in out + err
    assert key.digest not in out + err
    assert key.id in out


def test_what_a_key_is_for_is_said(run, tmp_path):
    assert "It has no limits." in run("add", "free")[2]
    _, _, err = run("add", "team", "--tasks", "tickets", "--expires", "2999-01-31")
    assert "It is for calls of tickets alone; until 2999-01-31 00:00 UTC." in err
    assert "No task here is called tickets, yet" in err
    _, out, _ = run("add", "a", "--tasks", "tickets", "--json")
    assert json.loads(out)["unknown_tasks"] == ["tickets"]
    Workspace(tmp_path / ".stepdown").write_task(task("tickets"))
    _, out, err = run("add", "b", "--tasks", "tickets", "--json")
    assert "unknown_tasks" not in json.loads(out)
    assert "No task" not in err


def test_a_list_is_readable_at_100_columns(run, tmp_path):
    run("add", "payroll", "--rpm", "60", "--usd-per-day", "5")
    run("add", "web-team", "--tokens-per-minute", "200000", "--tasks", "tickets,invoices")
    run("add", "old", "--escalations-per-minute", "7", "--usd-total", "1234")
    run("revoke", "old")
    (key, *_) = read_keys(tmp_path / ".stepdown/keys.json").keys
    purse = SqlitePurse(tmp_path / ".stepdown/spend.db")
    purse.lease(key.id, window_of("day", time.time()), 1_200_000_000, 5_000_000_000)
    purse.close()
    _, out, _ = run("list")
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 100
    for cell in (
        "payroll",
        "$1.20 of $5.00 a day",
        "200,000",
        "tickets",
        "revoked",
        "$0 of $1,234",
    ):
        assert cell in out


def test_json_tells_everything_but_the_hash(run):
    _, out, _ = run("add", "team", "--usd-per-month", "3", "--expires", "30d", "--json")
    made = json.loads(out)
    assert made["key"].startswith(f"sd-{made['id']}-")
    assert made["allowance"] == {"usd": 3.0, "period": "month"}
    assert abs(made["expires"] - time.time() - 30 * 86_400) < 60
    _, out, _ = run("list", "--json")
    (listed,) = json.loads(out)["keys"]
    assert "digest" not in listed
    assert listed["state"] == "active"
    _, out, _ = run("revoke", made["id"], "--json")
    assert json.loads(out)["state"] == "revoked"


@pytest.mark.parametrize(
    "wrong",
    [
        ("add", "a", "--usd-per-day", "1", "--usd-total", "1"),
        ("add", "a", "--rpm", "0"),
        ("add", "a", "--usd-total", "0"),
        ("add", "a", "--expires", "soon"),
        ("add", "a", "--expires", "2020-01-01"),
        ("add", ""),
        ("revoke", "nobody"),
    ],
)
def test_what_makes_no_sense_is_exit_2(run, wrong, tmp_path):
    status, out, err = run(*wrong)
    assert (status, out) == (2, "")
    assert err
    assert not (tmp_path / ".stepdown/keys.json").exists()
