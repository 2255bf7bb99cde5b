"""What a person is asked about a task's answers, and how what is typed is read."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from stepdown.core.calls import Answer, ToolCall
from stepdown.core.datasets import Dataset, Example
from stepdown.core.fingerprint import canonical_json, uniform
from stepdown.core.gold import Gold, Question
from stepdown.core.records import read_answer, read_json, same_record
from stepdown.core.tasks import Task, input_text
from stepdown.label.outcomes import record_judge_of

__all__ = ["Reading", "choices", "random_questions", "read_reply"]

_TEST_FIRST = 200
"""So many test rows tell the teacher's errors from the student's to within a few points."""


class Reading(msgspec.Struct, frozen=True):
    """What was typed, as gold without a date; `gold` None and a `fault` where it can't be read.

    With both, the answer is taken, and the fault is a word of warning.
    """

    gold: Gold | None = None
    fault: str = ""


def random_questions(dataset: Dataset, gold: Mapping[str, Gold], count: int) -> list[Question]:
    """Return the next `count` held-out rows of a draw that depends on their ids alone.

    The order of the draw is fixed, so that a review can end anywhere and go on later: at any time
    the rows judged are a random sample of their part. Test rows come first, up to 200, then
    calibration rows. Rows that were skipped come again.
    """
    test, calibration = _drawn(dataset.part("test")), _drawn(dataset.part("calibration"))
    order = [*test[:_TEST_FIRST], *calibration, *test[_TEST_FIRST:]]
    open_rows = [row for row in order if _is_open(gold, row.id)]
    asked = open_rows[:count]
    last = order.index(asked[-1]) + 1 if asked else 0
    drawn = {part: sum(row.split == part for row in order[:last]) for part in _SIZES}
    sizes = {"test": len(test), "calibration": len(calibration)}
    return [
        Question(
            row.id,
            input_text(row.input),
            row.record if row.known else {},
            why="random",
            probability=drawn[row.split] / sizes[row.split],
        )
        for row in asked
    ]


_SIZES = ("test", "calibration")


def _drawn(rows: Sequence[Example]) -> list[Example]:
    return sorted(rows, key=lambda row: uniform(f"gold {row.id}"))


def _is_open(gold: Mapping[str, Gold], item: str) -> bool:
    return item not in gold or gold[item].verdict == "skipped"


def choices(task: Task) -> tuple[str, list[Any]]:
    """Return the one field whose values can be picked by number, and these in order.

    ("", []) where the task has no choice, or several.
    """
    fields = [field for field in task.anatomy.fields if field.kind == "choice" and not field.many]
    if len(fields) != 1:
        return "", []
    return fields[0].path, sorted(fields[0].values, key=str)


def read_reply(task: Task, question: Question, typed: str) -> Reading:
    """Read one reply: a accept, n none is right, s skip, a number, JSON, or `/field = JSON`."""
    word = typed.strip()
    bare = Gold(
        question.item,
        "skipped",
        said=question.said,
        why=question.why,
        probability=question.probability,
    )
    if word == "s":
        return Reading(bare)
    if word == "n" or (word == "a" and not question.said):
        return Reading(msgspec.structs.replace(bare, verdict="none"))
    if word == "a":
        return Reading(msgspec.structs.replace(bare, verdict="accepted", record=question.said))
    try:
        record = _typed_record(task, question, word)
    except ValueError as error:
        return Reading(fault=str(error))
    return _corrected(task, question, bare, record)


def _corrected(task: Task, question: Question, bare: Gold, record: dict[str, Any]) -> Reading:
    worth = record_judge_of(task)(question.input, record)
    if worth.outcome == "off_schema":
        return Reading(fault=worth.why)
    kept = worth.record or record
    same = bool(question.said) and same_record(kept, question.said)
    verdict = "accepted" if same else "corrected"
    # A person may name a label that no answer had, or a value from elsewhere: it is said, and kept.
    return Reading(msgspec.structs.replace(bare, verdict=verdict, record=kept), worth.why)


def _typed_record(task: Task, question: Question, word: str) -> dict[str, Any]:
    path, values = choices(task)
    if word.isascii() and word.isdecimal() and values:
        if not 1 <= int(word) <= len(values):
            raise ValueError(f"The numbers go from 1 to {len(values)}.")
        return {**_kept_beside(task, question, path), path: values[int(word) - 1]}
    if word.startswith("/") and "=" in word:
        name, _, value = word.partition("=")
        return {**question.said, name.strip(): _json(value)}
    value = _json(word)
    if task.anatomy.shape == "text" and not isinstance(value, str):
        raise ValueError("An answer in text is typed in quotes.")
    record = read_answer(_whole(task, value), task.anatomy.shape)
    if record is None:
        raise ValueError(f"It is not of the shape of this task's answers ({task.anatomy.shape}).")
    return record


def _kept_beside(task: Task, question: Question, path: str) -> dict[str, Any]:
    """Return what stays of the teacher's answer when its choice is another one."""
    # The arguments of one tool say nothing of another's.
    return {} if task.anatomy.shape == "tool" and path == "/tool" else question.said


def _json(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        raise ValueError("That is neither a key, nor a number shown, nor JSON.") from None


def _whole(task: Task, value: Any) -> Answer:
    """Return the answer that a typed JSON value stands for; of a tool {"name", "arguments"}."""
    if task.anatomy.shape != "tool":
        written = value if isinstance(value, str) else canonical_json(value).decode()
        return Answer(written)
    if value is None:
        return Answer("-")
    call = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    arguments = canonical_json(call.get("arguments", {})).decode()
    return Answer(tool_calls=(ToolCall(str(call.get("name")), arguments),)) if call else Answer()
