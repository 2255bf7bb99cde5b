"""The demo's bill: the model alone against the students with the model behind them."""

from collections.abc import Sequence

import msgspec

from stepdown.cli.demo.traffic import Reply
from stepdown.core.tasks import Task

__all__ = ["Bill", "bill"]


class Bill(msgspec.Struct, frozen=True):
    """US dollars; `model_calls` are those that the frontier model answered or checked.

    `audited` of the answered calls are sent to the model as well, at the audit's share: a price of
    keeping the promise that belongs on the bill.
    """

    name: str
    requests: int
    model_calls: float
    audited: float
    usd: float
    usd_per_1000: float


def bill(replies: Sequence[Reply], tasks: Sequence[Task], audit_share: float) -> list[Bill]:
    """Return the bill before and after, at each task's logged mean cost a call."""
    cost = {
        task.name: task.spend_usd / task.priced_calls
        for task in tasks
        if task.spend_usd is not None and task.priced_calls
    }
    priced = [reply for reply in replies if reply.task in cost]
    before = sum(cost[reply.task] for reply in priced)
    escalated = [reply for reply in priced if reply.decision != "answered"]
    answered = [reply for reply in priced if reply.decision == "answered"]
    after = sum(cost[reply.task] for reply in escalated)
    audits = sum(cost[reply.task] for reply in answered) * audit_share
    audited = len(answered) * audit_share
    count = max(len(priced), 1)
    return [
        Bill("before: the model alone", len(priced), len(priced), 0, before, before / count * 1000),
        Bill(
            "after: students first",
            len(priced),
            len(escalated) + audited,
            audited,
            after + audits,
            (after + audits) / count * 1000,
        ),
    ]
