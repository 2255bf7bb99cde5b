"""The savings ledger of a workspace, kept and read on."""

import json
from contextlib import closing
from decimal import Decimal

import genai_prices
import pytest

from stepdown.cli import savings as ledger
from stepdown.cli.options import Session
from stepdown.cli.savings import savings_of
from stepdown.config import Config, Defaults, TierConfig
from stepdown.core.labels import Reserved, Sent, Stored
from stepdown.core.ports import Exchange
from stepdown.store.ledger import Ledger
from stepdown.store.sqlite import SqliteOutbox
from stepdown.workspace import Workspace

MODEL = "gpt-4o"


def price(given, made, model=MODEL):
    """What the price library itself says, asked as plainly as can be."""
    usage = genai_prices.Usage(input_tokens=given, output_tokens=made)
    return Decimal(genai_prices.calc_price(usage, model).total_price)


@pytest.fixture
def session(tmp_path):
    return Session(Workspace(tmp_path), Config())


def line(id, tier, given=1000, made=10, model=MODEL, answered=MODEL, **about):
    usage = {"prompt_tokens": given, "completion_tokens": made}
    return {
        "id": id,
        "time": "2026-11-29T00:00:00Z",
        "request": {"model": model, "messages": []},
        "response": {"model": answered, "choices": [], "usage": usage},
        "stepdown": {"tier": tier, "task": "t", "model": answered, **about},
    }


def capture(session, *lines):
    with closing(SqliteOutbox(session.workspace.calls)) as outbox:
        for value in lines:
            exchange = Exchange(value["id"], 1.0, json.dumps(value).encode(), "t")
            outbox.submit(exchange, lambda durable: None)


def test_c13_a_golden_invoice_of_captured_calls(session):
    capture(
        session,
        line("1", "small"),
        line("2", "small", 2000, 20, "unknown-model"),
        line("3", "mid", 500, 50, answered="gpt-4o-mini"),
        line("4", "frontier", 700, 70, answered="gpt-4o-2024-08-06"),
        line("5", "frontier", 1100, 9, audit_of="1"),
    )
    (mine,) = savings_of(session, []).tasks
    account = mine.account
    dollars = {
        name: getattr(account, name) / Decimal(10**18)
        for name in ("paid", "instead", "audit", "checked_estimate", "checked_real")
    }
    cheap, relayed = price(500, 50, "gpt-4o-mini"), price(700, 70)
    expected = {
        "paid": cheap + relayed,
        "instead": price(1000, 10) + price(500, 50) + relayed,
        "audit": price(1100, 9),
        "checked_estimate": price(1000, 10),
        "checked_real": price(1100, 9),
    }
    for name, value in expected.items():
        assert abs(dollars[name] - value) < Decimal("1e-9"), name
    saved = price(1000, 10) + price(500, 50) - cheap - price(1100, 9)
    assert abs(mine.saving / Decimal(10**18) - saved) < Decimal("1e-9")
    assert (account.small, account.mid, account.frontier, account.audits) == (2, 1, 1, 1)
    assert account.unpriced == 1
    assert savings_of(session, []).unpriced_models == {"unknown-model": 1}


def test_calls_are_counted_by_what_became_of_them_as_the_store_counts_them(session):
    kinds = {"decision": "answered", "reason": "confident"}
    for day in range(3):
        for number in range(4):
            made = line(f"{day}-{number}", ("small", "mid")[number % 2], **kinds)
            capture(session, made | {"time": f"2026-11-2{day}T00:00:00Z"})
        savings_of(session, [])
    found = {(one.task, one.tier, one.decision): one for one in savings_of(session, []).tallies}
    assert {key: one.count for key, one in found.items()} == {
        ("t", "small", "answered"): 6,
        ("t", "mid", "answered"): 6,
    }
    small = found["t", "small", "answered"]
    assert small.last_time - small.first_time == 2 * 86_400


def test_only_new_rows_are_read(session, monkeypatch):
    capture(session, *(line(str(number), "small") for number in range(50)))
    first = savings_of(session, [])
    read = []
    real = ledger.captured
    monkeypatch.setattr(ledger, "captured", lambda data: read.append(data) or real(data))
    assert savings_of(session, []) == first
    assert read == []
    capture(session, line("more", "small"))
    assert savings_of(session, []).total.account.small == 51
    assert len(read) == 1


def test_a_workspace_that_can_only_be_read_has_its_savings_too(session, monkeypatch):
    capture(session, line("a", "small", decision="answered", reason="confident"))

    def refused(path, _):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("stepdown.cli.savings.publish_file", refused)
    assert sum(one.count for one in savings_of(session, []).tallies) == 1


def test_other_prices_read_the_whole_store_anew(session):
    capture(session, line("1", "mid", answered="local-model"))
    assert savings_of(session, []).total.account.unpriced == 1
    priced = Config(tiers={"mid": TierConfig("http://h", usd_per_1000=0.5)})
    account = savings_of(Session(session.workspace, priced), []).total.account
    assert (account.unpriced, account.paid) == (0, 5 * 10**14)


def test_another_store_is_read_from_its_beginning(session):
    capture(session, line("1", "small"), line("2", "small"))
    assert savings_of(session, []).total.account.small == 2
    for path in session.workspace.root.glob("calls.db*"):
        path.unlink()
    capture(session, line("3", "small"))
    assert savings_of(session, []).total.account.small == 1


@pytest.mark.parametrize("kept", [b"", b"{}", b'{"terms":"x","seq":9}', b"\xff"])
def test_a_ledger_that_is_none_is_made_anew(session, kept):
    capture(session, line("1", "small"))
    (session.workspace.root / "savings.json").write_bytes(kept)
    assert savings_of(session, []).total.account.small == 1


def test_a_name_of_ours_stands_for_the_frontier_model(session):
    capture(session, line("1", "small", model="auto"), line("2", "small", model="stepdown/t"))
    assert savings_of(session, []).total.account.unpriced == 2
    named = Config(tiers={"frontier": TierConfig("http://h", model=MODEL)})
    account = savings_of(Session(session.workspace, named), []).total.account
    assert abs(account.instead / Decimal(10**18) - 2 * price(1000, 10)) < Decimal("1e-9")


def test_an_empty_workspace_has_saved_nothing(session):
    found = savings_of(session, [])
    assert (found.tasks, found.total.saving) == ((), 0)
    assert not (session.workspace.root / "savings.json").exists()


def test_a_hostile_log_keeps_few_names(session):
    capture(session, *(line(str(n), "small", model=f"made-up-{n}") for n in range(200)))
    assert len(savings_of(session, []).unpriced_models) == 50


def test_training_and_labelling_are_on_the_bill(ran):
    session = Session(Workspace(ran.workspace), Config(defaults=Defaults(cpu_usd_hour=3600.0)))
    tasks = session.workspace.tasks()
    (mine,) = savings_of(session, tasks).tasks
    (folder,) = session.workspace.students(tasks[0].id).glob("[!.]*")
    trained = json.loads((folder / "manifest.json").read_bytes())["training"]
    # A dollar a second.
    assert mine.made.training / 10**18 == pytest.approx(trained["cpu_seconds"])
    assert trained["cpu_seconds"] > 0
    assert mine.saving == -mine.made.training
    replies = session.workspace.folder(tasks[0].id) / "hosted-abc.jsonl"
    usage = {"input_tokens": 100, "output_tokens": 5}
    reply = {
        "row": "1",
        "model": {"name": MODEL, "api": "chat"},
        "prediction": {"record": {}, "answer": None, "confidence": 0.5},
        "seconds": 1.0,
        "usage": usage,
    }
    try:
        lines = [reply, reply | {"row": "2", "usage": None}]
        replies.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
        (mine,) = savings_of(session, tasks).tasks
    finally:
        replies.unlink()
    assert abs(mine.made.labelling / Decimal(10**18) - price(100, 5)) < Decimal("1e-9")
    assert mine.made.unknown == 1


def test_paid_labels_are_on_the_bill(space):
    session = Session(Workspace(space), Config())
    tasks = session.workspace.tasks()
    (before,) = savings_of(session, tasks).tasks
    with closing(Ledger(session.workspace.labels)) as labels:
        run = labels.begin(tasks[0].id, "big", {})
        labels.commit(
            run.id, [Reserved("k", "call-1", "random"), Reserved("l", "call-2", "random")]
        )
        labels.commit(run.id, [Sent("k", 1, 1.0, 9), Stored("k", 1, b"{}", 1.0, None, 7)])
        labels.commit(run.id, [Sent("l", 1, 1.0, 9)])
    (after,) = savings_of(session, tasks).tasks
    assert after.made.labelling - before.made.labelling == 7
    assert after.made.unknown - before.made.unknown == 1
