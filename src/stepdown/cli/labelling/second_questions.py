"""Second questions: which answers are asked for again in our own words, and what came of it.

It is asked of suspicious inputs, and of a share of all others, beside the first and under the same
cap. It has a run of its own, so nothing that counts answers counts it.
"""

from collections.abc import Iterable
from typing import Literal

from stepdown.cli.labelling.questions import Plan, key_of, text_of
from stepdown.cli.teachers import Teacher
from stepdown.core.calls import Request
from stepdown.core.fingerprint import uniform
from stepdown.core.labels import SECOND, Kept, Label, LabelRun, Reserved
from stepdown.core.tasks import Task, texts
from stepdown.label.outcomes import worth_of
from stepdown.label.suspicion import suspicion_of
from stepdown.label.votes import agree
from stepdown.store.ledger import Ledger
from stepdown.wire.second_template import mark_for, second_request

__all__ = ["add_seconds", "compared", "reserve"]

_OWN = {"words": "ours"}


def add_seconds(
    at: tuple[Task, Teacher, dict[str, str]],
    ledger: Ledger,
    plan: Plan,
    share: float | Literal["suspicious"],
    hold: bool,
) -> None:
    """Add to the plan what there is to ask a second time: what was begun, and of what it asks.

    A `share` of the inputs that are not suspicious is asked as well ("suspicious": none of them);
    0: no second questions at all.
    """
    task, teacher, terms = at
    run = ledger.find(task.id, teacher.model, terms | _OWN)
    begun = list(ledger.kept(run.id)) if run else []
    known = ledger.items(run.id) if run else set[str]()
    found: list[tuple[Kept, Request]] = []
    suspicion = suspicion_of(task.anatomy)
    for one, request in (*plan.asked, *plan.raw) if share else ():
        first = one.reserved
        if first.repeat or first.item in known:
            continue
        suspicious = bool(suspicion(text_of(task, request)))
        spared = share == "suspicious" or uniform(f"second {first.item}") >= share
        if spared and not suspicious:
            continue
        second = _second(task, teacher, first, request)
        found += [second] if second else []
        plan.suspicious += suspicious and second is not None
        known.add(first.item)
    plan.second = len(found)
    plan.asked += found
    for one in begun:
        request = one.reserved.request
        if request is not None and one.raw is not None:
            plan.raw.append((one, request))
        elif request is not None and not (hold and one.unknown):
            plan.asked.append((one, request))


def _second(
    task: Task, teacher: Teacher, first: Reserved, request: Request
) -> tuple[Kept, Request] | None:
    given = task.signature.match(*texts(request))
    found = second_request(task, request, mark_for(given)) if given is not None else None
    if found is None:
        return None
    key = key_of(teacher, found, SECOND)
    # The mark is random: what was asked can't be made again from the log, so it is kept.
    return Kept(Reserved(key, first.item, "again", None, first.source, SECOND, found)), found


def reserve(ledger: Ledger, run: LabelRun, plan: Plan) -> None:
    """Reserve all that the plan has, second questions under a run of their own."""
    reserved = [one.reserved for one, _ in (*plan.asked, *plan.raw)]
    ledger.commit(run.id, [one for one in reserved if one.repeat != SECOND])
    seconds = [one for one in reserved if one.repeat == SECOND]
    if seconds:
        terms = {**run.terms, **_OWN}
        own = ledger.find(run.task, run.teacher, terms)
        own = own or ledger.begin(run.task, run.teacher, terms)
        ledger.commit(own.id, seconds)


def compared(task: Task, labels: Iterable[Label], teacher: str) -> tuple[int, int]:
    """Return how many items have two answers of the teacher, and how many of these disagree, as the
    dataset judges it (`label.votes`)."""
    pairs: dict[str, dict[bool, Label]] = {}
    for one in labels:
        if one.teacher == teacher and one.repeat in (0, SECOND):
            pairs.setdefault(one.item, {})[one.repeat == SECOND] = one
    both = [pair for pair in pairs.values() if len(pair) == 2]
    worth = worth_of(task)
    differ = (not agree(worth(pair[False]), worth(pair[True])) for pair in both)
    return len(both), sum(differ)
