"""What a person is asked about a task's answers, and how what is typed is read."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

from stepdown.core.calls import Answer, Tool, ToolCall
from stepdown.core.datasets import Dataset, Example
from stepdown.core.fingerprint import canonical_json, uniform
from stepdown.core.gold import Gold, Question
from stepdown.core.records import (
    escape,
    flatten,
    read_answer,
    read_json,
    same_record,
    unflatten,
)
from stepdown.core.tasks import Task, input_text
from stepdown.label.outcomes import record_judge_of

__all__ = ["Reading", "choices", "random_questions", "read_reply"]

_TEST_FIRST = 200
"""So many test rows tell the teacher's errors from the student's to within a few points."""


_NAMED = 20


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
        return _with_field(task, question, name.strip(), _json(value))
    value = _json(word)
    if task.anatomy.shape == "text" and not isinstance(value, str):
        raise ValueError("An answer in text is typed in quotes.")
    record = read_answer(_whole(task, value), task.anatomy.shape)
    if record is None:
        raise ValueError(f"It is not of the shape of this task's answers ({task.anatomy.shape}).")
    # Where a schema is declared it says what fits.
    if task.anatomy.shape == "json" and task.output_format_json == "null":
        known = _fields(task, question)
        for path in record:
            if not any(_within(path, one) or _within(one, path) for one in known):
                raise ValueError(_no_field(path, known))
    return record


def _with_field(task: Task, question: Question, path: str, value: Any) -> dict[str, Any]:
    """Return the teacher's answer with one of the task's fields set to another value."""
    known = _fields(task, question)
    if path not in known:
        raise ValueError(_no_field(path, known))
    # An object that is set to null has no fields of its own any more, and the other way round.
    kept = {k: v for k, v in question.said.items() if not (_within(k, path) or _within(path, k))}
    order = {name: None for name in question.said if name in kept or name == path}
    return flatten(unflatten({**order, **kept, path: value}))


def _fields(task: Task, question: Question) -> list[str]:
    """Return the paths of the task's fields: those measured, of this answer, and of its tools."""
    tools = msgspec.json.decode(task.tools_json, type=list[Tool])
    declared = [
        f"/{escape(tool.name)}/{escape(name)}"
        for tool in tools
        if isinstance(arguments := tool.parameters.get("properties"), dict)
        for name in cast("dict[str, Any]", arguments)
    ]
    measured = [field.path for field in task.anatomy.fields]
    return list(dict.fromkeys((*measured, *question.said, *declared)))


def _within(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/")


def _no_field(path: str, known: Sequence[str]) -> str:
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    named = ", ".join(name for name in known[:_NAMED] if name)
    its = f"; its fields are {named}{more}" if named else ": it is one text, typed in quotes"
    return f"{path[:60]} is no field of this task{its}."


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
