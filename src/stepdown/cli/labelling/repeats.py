"""Questions asked again: of one teacher to see if it agrees with itself, of others to have a vote.

Each is a run of its own in the ledger, so that a stopped one goes on, under one cap with the rest.
"""

import heapq
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import msgspec

from stepdown.cli.options import Session
from stepdown.core.calls import TEACHERS, Call
from stepdown.core.fingerprint import uniform
from stepdown.core.labels import Label, Pick
from stepdown.core.tasks import Task
from stepdown.store.ledger import read_labels, read_requests

__all__ = ["ALONE", "INPUTS", "REPEATED", "TO_WRITE", "WRITTEN", "Again", "again_picks"]

REPEATED = 100
"""How many items are asked again: their agreement is known to within about 5 points."""


INPUTS, TO_WRITE, WRITTEN = "inputs", "to write", "written"
"""The term that tells the runs of made-up inputs from others, and how its values begin."""


class Again(msgspec.Struct, frozen=True):
    """What is asked a second time: a sample until each has `repeats` more answers, or what the
    teacher called `beside` was asked in a `run`; or `picks`, under the name of their `inputs`."""

    repeats: int = 0
    beside: str = ""
    run: str = ""
    inputs: str = ""
    picks: tuple[Pick, ...] = ()

    @property
    def terms(self) -> dict[str, str]:
        """What tells its run from others; {} for an ordinary one."""
        if self.inputs:
            return {INPUTS: self.inputs}
        if self.beside:
            return {"asked beside": self.beside}
        return {"asked again": str(REPEATED)} if self.repeats else {}


ALONE = Again()


def again_picks(
    session: Session,
    at: tuple[Task, str],
    again: Again,
    items: AbstractSet[str],
    calls: Iterator[Call],
) -> list[Pick]:
    """Return what to ask of the task and model a second time; `items` are those of the run.

    What the model has answered already is among them: that is known by its key.
    """
    task, model = at
    if again.inputs:
        return list(again.picks)
    if again.beside:
        return list(_beside(session, task, items, calls))
    return _repeats(calls, model, again.repeats)


def _repeats(calls: Iterator[Call], model: str, repeats: int) -> list[Pick]:
    """Return the sample's questions; the log's answer is one, where it is this teacher's."""
    total = 0

    def answered() -> Iterator[tuple[float, str, Call]]:
        nonlocal total
        for call in calls:
            if call.tier in TEACHERS:
                total += 1
                yield uniform(f"again {call.id}"), call.id, call

    drawn = heapq.nsmallest(REPEATED, answered(), key=lambda one: one[:2])
    share = min(1.0, REPEATED / max(total, 1))
    return [
        Pick(item, call.request, "again", share, repeat=number)
        for _, item, call in drawn
        for number in range(model in (call.model, call.request.model), repeats + 1)
    ]


def _beside(
    session: Session, task: Task, items: AbstractSet[str], calls: Iterator[Call]
) -> Iterator[Pick]:
    path = session.workspace.labels
    asked: dict[str, Label] = {
        one.item: one for one in read_labels(path, task.id) if one.item in items
    }
    kept = read_requests(path, task.id)
    requests = {item: request for item, request in kept.items() if item in asked}
    requests |= {call.id: call.request for call in calls if call.id in asked}
    for item, request in requests.items():
        yield Pick(item, request, "again", asked[item].probability, asked[item].source)
