"""The bill counts what the model answered and what was audited, at the log's own prices."""

import pytest

from stepdown.cli.demo.bill import bill
from stepdown.cli.demo.traffic import Reply
from stepdown.core.anatomy import Anatomy
from stepdown.core.tasks import Signature, Task, Verdict


def reply(task, decision):
    return Reply(task, "", decision, "", True, 1.0)


def test_before_and_after():
    task = Task(
        "t",
        "mail",
        Signature(),
        Anatomy("text", (), 0, 0, 0),
        Verdict("distil"),
        spend_usd=10.0,
        priced_calls=100,
    )
    replies = [reply("mail", "answered")] * 8 + [reply("mail", "escalated")] * 2
    before, after = bill([*replies, reply("unpriced", "answered")], [task], 0.25)
    assert before.usd == pytest.approx(1.0)
    assert before.requests == 10
    assert after.audited == 2
    assert after.model_calls == 4
    assert after.usd == pytest.approx(0.4)
    assert after.usd_per_1000 == pytest.approx(40)


def test_nothing_priced_is_no_division():
    before, after = bill([reply("x", "answered")], [], 0.1)
    assert before.usd == after.usd == 0
