"""A bounded sample of a stream of calls that does not depend on their order."""

import heapq
from collections.abc import Iterable, Iterator

from stepdown.core.calls import TEACHERS, Call, Request
from stepdown.core.datasets import Example
from stepdown.core.fingerprint import uniform
from stepdown.core.records import read_answer
from stepdown.core.redaction import holds_placeholder
from stepdown.core.sources import source_of
from stepdown.core.tasks import Input, Task, input_text, texts
from stepdown.label.heldout import origin_of
from stepdown.label.soft import soft_labels
from stepdown.label.votes import Ballot

__all__ = ["examples_of", "input_of", "sample"]


def input_of(task: Task, request: Request) -> Input | None:
    """Return the task's input in a request; None where it is not one of the task's."""
    signature = task.signature
    if (request.tools.hash, request.output_format.hash) != (
        signature.tools,
        signature.output_format,
    ):
        return None
    return signature.match(*texts(request))


def examples_of(
    task: Task, calls: Iterable[Call], ballot: Ballot | None = None
) -> Iterator[Example]:
    """Yield each call of the task that a teacher answered, as an example without a split.

    Where labels of a call were paid for, what the `ballot` makes of them stands in place of what
    was logged. Answers of a student or of the model behind it teach nothing: without a label they
    are left out.
    """
    closed = _labels(task)
    ballot = ballot or Ballot({}, None)
    for call in calls:
        paid = ballot.labels(call.id)
        if not paid and call.tier not in TEACHERS:
            continue
        given = input_of(task, call.request)
        if given is None:
            continue
        settled = ballot.settle(call, input_text(given)) if paid else None
        if settled is None:
            answer, record = call.answer, read_answer(call.answer, task.anatomy.shape)
        else:
            answer = settled.answer
            record = settled.worth.record if settled.worth.outcome == "answered" else None
        # What was taken out of an answer can't be told: a student has to abstain there.
        record = None if holds_placeholder(answer) else record
        likely = answer.first_tokens
        origin, probability = origin_of(paid)
        yield Example(
            id=call.id,
            input=given,
            record=record or {},
            known=record is not None,
            group=call.group or "",
            time=call.time,
            soft=soft_labels(likely, closed) if likely and record is not None else {},
            origin=origin,
            probability=probability,
            source=source_of(call),
        )


def _labels(task: Task) -> list[str]:
    """Return the labels of a task whose whole answer is one of a closed set, else none."""
    fields = task.anatomy.fields if task.anatomy.shape == "text" else ()
    closed = [field for field in fields if field.path == "" and field.kind == "choice"]
    return [value for field in closed for value in field.values if isinstance(value, str)]


def sample(examples: Iterable[Example], cap: int, byte_cap: int) -> list[Example]:
    """Return the examples with the smallest hashes of their ids, ordered by time, then id.

    At most `cap` of them and about `byte_cap` characters of input; memory never holds more. Which
    they are depends on the ids alone, not on the order in which they come; of two examples with one
    id the first is kept.
    """
    heap: list[tuple[float, str]] = []
    kept: dict[str, Example] = {}
    size = 0
    for example in examples:
        coin = uniform(f"sample {example.id}")
        full = len(heap) >= cap or size >= byte_cap
        if example.id in kept or (full and coin >= -heap[0][0]):
            continue
        heapq.heappush(heap, (-coin, example.id))
        kept[example.id] = example
        size += _size(example)
        while len(heap) > 1 and (len(heap) > cap or size > byte_cap):
            size -= _size(kept.pop(heapq.heappop(heap)[1]))
    return sorted(kept.values(), key=lambda example: (example.time or 0.0, example.id))


def _size(example: Example) -> int:
    return sum(len(segment.text) for segment in example.input)
