"""What students have cost to make: a proof and the savings ledger say the same."""

from contextlib import closing

import pytest

from stepdown.audit.prices import ATTODOLLARS
from stepdown.cli import steps
from stepdown.cli.options import Session
from stepdown.cli.student_costs import labelling_usd, made_for
from stepdown.config import Config, Defaults
from stepdown.core.labels import Reserved, Sent, Stored
from stepdown.store.ledger import Ledger
from stepdown.workspace import Workspace


def paid(session, task, key, cost):
    """Note one answer in the ledger of labels; `cost` in dollars, None: unknown."""
    amount = None if cost is None else cost * ATTODOLLARS
    with closing(Ledger(session.workspace.labels)) as labels:
        run = labels.begin(task.id, "big", {"key": key})
        labels.commit(run.id, [Reserved(key, f"call-{key}", "random"), Sent(key, 1, 1.0)])
        labels.commit(run.id, [Stored(key, 1, b"{}", 1.0, None, amount)])


def test_a_proof_states_what_labels_and_student_cost(space):
    # A core at so much that a call's time is told in dollars.
    session = Session(Workspace(space), Config(defaults=Defaults(cpu_usd_hour=36.0)))
    (task,) = session.workspace.tasks()
    paid(session, task, "a", 3)
    first = steps.certify(session, task)
    bill = first.economics
    assert bill.labelling_usd == labelling_usd(session, task.id) == 3.0
    assert made_for(session, task.id).labelling == 3 * ATTODOLLARS
    assert bill.saving_usd_month
    assert bill.break_even_days == pytest.approx(3.0 / bill.saving_usd_month * 30.4375)
    cost = {row.name: row.usd_per_1000 for row in bill.rows}
    assert cost["student alone"] == pytest.approx(first.latency.p50_ms * 36.0 / 3600)
    page = (session.workspace.proofs(task.id) / f"{first.id}.html").read_text()
    assert "<dt>Labelling, once</dt><dd>$3.00</dd>" in page
    # One answer whose price nobody knows: the sum is unknown, and not smaller.
    paid(session, task, "b", None)
    again = steps.certify(session, task)
    assert again.id == first.id
    assert again.economics.labelling_usd is again.economics.break_even_days is None
    page = (session.workspace.proofs(task.id) / f"{again.id}.html").read_text()
    assert "<dt>Labelling, once</dt><dd>unknown</dd>" in page
    assert "what labelling has cost" in page
    assert (made_for(session, task.id).labelling, made_for(session, task.id).unknown) == (
        3 * ATTODOLLARS,
        1,
    )
