"""`stepdown label --synthetic N`: a teacher writes inputs, the useful ones are asked like others.

What it was asked to write is kept in the ledger, so a stopped command goes on with the same, and
nothing is written twice.
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import RenderableType

from stepdown.cli.options import Session
from stepdown.cli.sources import calls_of
from stepdown.core.calls import TEACHERS, Answer, Call, Request
from stepdown.core.datasets import Example
from stepdown.core.fingerprint import uniform
from stepdown.core.labels import MADE_OF, Label, Pick
from stepdown.core.ports import Progress
from stepdown.core.records import read_answer
from stepdown.core.tasks import Task
from stepdown.errors import Refusal
from stepdown.label.synthetic import SCENARIOS, Order, Sifted, orders, sifted
from stepdown.render import table
from stepdown.store.ledger import read_labels, read_requests
from stepdown.wire.synthetic_prompt import hole_of, inputs_in, with_text, writing_request

__all__ = ["WRITING", "Sample", "made_up", "sample_of", "synthetic_table", "to_write", "written"]

WRITING = "writing-"
"""How the items begin that ask for inputs, in the ledger."""

_SAMPLE = 5_000
_ORDER = "stepdown_order"


class Sample(msgspec.Struct, frozen=True):
    """Real calls of the task, what stood in the hole that is written for, and which hole it is."""

    hole: int
    calls: list[Call]
    texts: list[str]


def sample_of(session: Session, task: Task, progress: Progress) -> Sample:
    """Return a random sample of the task's calls, the same every time.

    Raises:
        Refusal: what is different in each call is not in its last message.
    """
    own = (
        (uniform(f"synthetic {call.id}"), call.id, call)
        for call in calls_of(session, task, progress)
    )
    calls = [call for *_, call in heapq.nsmallest(_SAMPLE, own, key=lambda one: one[:2])]
    hole = hole_of(task, [call.request for call in calls])
    if hole is None:
        raise Refusal(
            f"The last message of {task.name}'s calls is always the same: there is nothing in it "
            "to write; leave out --synthetic."
        )
    texts = [with_text(task, call.request, hole)[1] for call in calls]
    return Sample(hole, calls, texts)


def to_write(session: Session, task: Task, sample: Sample, count: int) -> list[Pick]:
    """Return the questions that ask for `count` inputs: those that were begun, or new ones."""
    begun = _begun(session, task, count)
    if begun:
        return [Pick(item, request, "again") for item, request in begun.items()]
    rows = list(_rows(session, task, sample))
    found: list[Pick] = []
    for at, order in enumerate(orders(task.anatomy, rows, count, f"{task.id} {count}")):
        how = SCENARIOS[order.scenario][1]
        request = writing_request(task, sample.hole, how, order.wanted, order.shots)
        noted = {_ORDER: msgspec.to_builtins(order), MADE_OF: list(order.shown)}
        told = msgspec.structs.replace(request, metadata=noted)
        found.append(Pick(f"{WRITING}{count}-{at:04}", told, "again"))
    return found


def written(session: Session, task: Task, sample: Sample, count: int) -> tuple[Sifted, list[Pick]]:
    """Return what is of use of what was written, and the questions that ask for its labels."""
    labels = {one.item: one.answer for one in read_labels(session.workspace.labels, task.id)}
    answers = [
        (msgspec.convert(request.metadata[_ORDER], Order), inputs_in(labels[item]))
        for item, request in _begun(session, task, count).items()
        if item in labels
    ]
    found = sifted(task.anatomy, answers, [text for text in sample.texts if text])
    asked = read_requests(session.workspace.labels, task.id)
    frames = [call.request for call, text in zip(sample.calls, sample.texts, strict=True) if text]
    picks: list[Pick] = []
    for one in found.kept:
        frame = frames[int(uniform(one.item) * len(frames))]
        request = asked.get(one.item) or with_text(task, frame, sample.hole, one.text)[0]
        picks.append(Pick(one.item, request, "synthetic"))
    return found, picks


def _begun(session: Session, task: Task, count: int) -> dict[str, Request]:
    kept = read_requests(session.workspace.labels, task.id, "again")
    return {item: kept[item] for item in sorted(kept) if item.startswith(f"{WRITING}{count}-")}


def _rows(session: Session, task: Task, sample: Sample) -> Iterator[tuple[str, Example]]:
    """Yield real texts with their records, as far as a teacher gave one."""
    paid = {
        one.item: one.answer
        for one in read_labels(session.workspace.labels, task.id)
        if one.outcome == "answered"
    }
    for call, text in zip(sample.calls, sample.texts, strict=True):
        answer = paid.get(call.id) or (call.answer if call.tier in TEACHERS else Answer())
        record = read_answer(answer, task.anatomy.shape)
        if text:
            yield text, Example(call.id, (), record or {}, record is not None)


def made_up(session: Session, task: Task, labels: Mapping[str, Sequence[Label]]) -> Iterable[Call]:
    """Yield the written inputs that have labels, as calls that nobody made.

    They are as old as the log, so they are never younger than what is tested with.
    """
    for item, request in read_requests(session.workspace.labels, task.id).items():
        if item in labels:
            yield Call(item, request, Answer(), "", task.first_time, tier="synthetic")


def synthetic_table(counts: Mapping[Any, Mapping[str, int]]) -> RenderableType:
    """Return what became of the inputs of each kind."""
    names = ("asked", "kept", "duplicate", "ungrounded", "unfit", "missing")
    rows: list[list[Any]] = [
        [scenario.replace("_", " "), *(count.get(name, 0) for name in names)]
        for scenario, count in counts.items()
    ]
    return table("written inputs", ["kind", *(f">{name}" for name in names)], rows)
