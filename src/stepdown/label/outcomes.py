"""What a teacher's answer is worth for a task: a label, or the reason why it is none.

An answer is taken as it is or not at all: nothing is guessed from half of one, and of a label from
a closed set only case and outer space are set right. docs/labelling.md says what each outcome is.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import jsonschema_rs
import msgspec

from stepdown.core.align import align
from stepdown.core.anatomy import Field
from stepdown.core.calls import TEACHERS, Answer, Call, OutputFormat, Tool
from stepdown.core.labels import Label, Outcome
from stepdown.core.records import read_answer, tool_calls, unflatten
from stepdown.core.tasks import Task
from stepdown.label.similarity import normalised

__all__ = [
    "Judge",
    "RecordJudge",
    "Widening",
    "Worth",
    "judge_of",
    "record_judge_of",
    "refuses",
    "widened",
    "worth_of",
]


class Worth(msgspec.Struct, frozen=True):
    """An answer's outcome; `record` is the label where that is "answered", `why` the fault else."""

    outcome: Outcome
    record: dict[str, Any] = {}
    why: str = ""


Judge = Callable[[str, Answer], Worth]
"""judge(input text, answer) → what the answer is worth."""

RecordJudge = Callable[[str, Mapping[str, Any]], Worth]
"""judge(input text, record) → what the record is worth as an answer."""

_GROUNDED = 0.9
"""A field whose logged values stand in their input this often has to stand there; below it the
teacher reads more out of an input than its words, and a value from elsewhere is no fault."""

_APOLOGY = r"(?:(?:i(?:'m| am) )?(?:very |so )?sorry|i apologi[sz]e|apologies|unfortunately)"
_CANNOT = r"(?:can(?:'t|not| not)|(?:am|'m|are|'re) (?:unable|not able) to|won'?t|(?:do not|don't))"
_REFUSING = re.compile(
    rf"\W*(?:{_APOLOGY}\b.{{0,80}}?\b(?:i|we) ?{_CANNOT}"
    rf"|(?:i|we) ?{_CANNOT} (?:be able to )?(?:help|assist|comply|answer|provide|fulfil|process|"
    r"classify|continue|engage|discuss|respond|do that)"
    r"|as an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|es tut mir leid\b|ich kann (?:ihnen |dir )?(?:dabei |das |damit )?(?:leider )?nicht\b"
    r"|je suis désolée?\b|je ne peux pas\b|lo siento\b|no puedo (?:ayudar|responder)"
    r"|mi dispiace\b|desculpe\b|申し訳|抱歉|很抱歉)",
    re.IGNORECASE | re.DOTALL,
)


def refuses(text: str) -> bool:
    """Say whether the text begins as models decline to answer."""
    return bool(_REFUSING.match(text[:400].replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")))


def judge_of(task: Task) -> Judge:
    """Return what judges the answers to a task's inputs.

    In order: a refusal that the provider marks; an answer cut off or of another shape; what
    `record_judge_of` finds. Where that finds a fault in an answer that declines in words, it is a
    refusal.
    """
    judge_record = record_judge_of(task)
    closed = _answers_are_closed(task)

    def judge(text: str, answer: Answer) -> Worth:
        if answer.refusal or answer.finish_reason == "content_filter":
            return Worth("refused", why="The provider marks it as a refusal.")
        if answer.finish_reason == "length":
            return Worth("unreadable", why="It was cut off at max_tokens.")
        record = read_answer(answer, task.anatomy.shape)
        worth = _another_shape(task) if record is None else judge_record(text, record)
        if worth.outcome != "answered" and closed and refuses(answer.text or ""):
            return Worth("refused", why="It declines to answer.")
        return worth

    return judge


def record_judge_of(task: Task) -> RecordJudge:
    """Return what judges records as answers to a task's inputs.

    In order: the declared schema, or a field missing that always was there; a label outside its
    closed set, which has the values that the audit found; a copied or derived value that does not
    stand in the input.
    """
    closed = _closed_sets(task)
    schema_fault = _schema_fault_of(task)
    copied = [
        field
        for field in task.anatomy.fields
        if field.kind in ("copy", "derived") and field.aligned >= _GROUNDED
    ]

    def judge(text: str, record: Mapping[str, Any]) -> Worth:
        if fault := schema_fault(record):
            return Worth("off_schema", why=fault)
        spelt, fault = _in_sets(record, closed)
        if fault:
            return Worth("other_label", why=fault)
        fault = _ungrounded(spelt, copied, text)
        return Worth("ungrounded", why=fault) if fault else Worth("answered", spelt)

    return judge


def worth_of(task: Task) -> Callable[[Label], Worth]:
    """Return what tells the worth of a label whose answer was judged when it came."""
    closed = _closed_sets(task)

    def worth(label: Label) -> Worth:
        record = read_answer(label.answer, task.anatomy.shape) or {}
        found = label.outcome == "answered"
        return Worth(label.outcome, _in_sets(record, closed)[0] if found else {})

    return worth


def _another_shape(task: Task) -> Worth:
    wanted = {"text": "text", "json": "JSON", "tool": "a tool call"}[task.anatomy.shape]
    return Worth("unreadable", why=f"It is not {wanted}.")


def _answers_are_closed(task: Task) -> bool:
    """Say whether an apology can't be an answer: in prose and beside tools it may well be one."""
    if task.anatomy.shape == "text":
        return not any(field.kind == "free" for field in task.anatomy.fields)
    return task.anatomy.shape == "json"


def widened(task: Task, calls: Iterable[Call]) -> Task:
    """Return the task with the labels that at least two of its logged answers have."""
    labels = Widening(task)
    for call in calls:
        labels.add(call)
    return labels.task


class Widening:
    """The labels of a task, counted as its calls go by.

    The audit looks at a sample: a rare label need not be in it.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._closed = _closed_sets(task)
        self._found: Counter[tuple[str, str]] = Counter()
        self._spelt: dict[tuple[str, str], Any] = {}

    def add(self, call: Call) -> None:
        """Count the labels of a teacher's logged answer."""
        if not self._closed or call.tier not in TEACHERS:
            return
        record = read_answer(call.answer, self._task.anatomy.shape) or {}
        for path in self._closed:
            for value in _values(record.get(path)):
                self._found[path, _key(value)] += 1
                self._spelt.setdefault((path, _key(value)), value)

    @property
    def task(self) -> Task:
        """The task with the labels that at least two of the answers have."""
        more: dict[str, list[Any]] = {}
        for (path, key), count in self._found.most_common():
            if count > 1 and key not in self._closed[path]:
                more.setdefault(path, []).append(self._spelt[path, key])
        replace = msgspec.structs.replace
        fields = tuple(
            replace(field, values=(*field.values, *new), distinct=field.distinct + len(new))
            if (new := more.get(field.path))
            else field
            for field in self._task.anatomy.fields
        )
        return replace(self._task, anatomy=replace(self._task.anatomy, fields=fields))


def _closed_sets(task: Task) -> dict[str, dict[str, Any]]:
    """Return for each choice field its values by what they are compared by."""
    return {
        field.path: {_key(value): value for value in reversed(field.values)}
        for field in task.anatomy.fields
        # Of more values than are kept none can be called another.
        if field.kind == "choice" and field.values and field.distinct <= len(field.values)
    }


def _values(value: Any) -> list[Any]:
    """Return the values of a field that are there: of a list its items, and no nulls."""
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [item for item in items if item is not None]


def _key(value: Any) -> str:
    if isinstance(value, str):
        return f"s{normalised(value)}"
    # Numbers are compared by value, and true is no number.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"n{float(value)!r}"
    return f"j{msgspec.json.encode(value).decode()}"


def _in_sets(
    record: Mapping[str, Any], closed: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Any], str]:
    """Return the record with its labels spelt as the log spells them, and what is in no set."""
    spelt = dict(record)
    for path, known in closed.items():
        for item in _values(record.get(path)):
            if _key(item) not in known:
                return {}, f"{_shown(path)} is {str(item)[:60]!r}, which is none of its values."
        # Null is the absence of a value; where one has to be, the schema says so.
        value = record.get(path)
        if isinstance(value, list):
            items = cast("list[Any]", value)
            spelt[path] = [None if item is None else known[_key(item)] for item in items]
        elif value is not None:
            spelt[path] = known[_key(value)]
    return spelt, ""


def _ungrounded(record: Mapping[str, Any], fields: Sequence[Field], text: str) -> str:
    for field in fields:
        for item in _values(record.get(field.path)):
            blank = isinstance(item, str) and not item.strip()
            if not blank and not align(item, text):
                return f"{_shown(field.path)} is {str(item)[:60]!r}, which is not in the input."
    return ""


def _shown(path: str) -> str:
    return path or "The answer"


def _schema_fault_of(task: Task) -> Callable[[Mapping[str, Any]], str]:
    """Return what says why a record does not fit what was declared, or is not all there."""
    if task.anatomy.shape == "tool":
        tools = msgspec.json.decode(task.tools_json, type=list[Tool])
        checks = {tool.name: _compiled(tool.parameters) for tool in tools}
        return lambda record: _call_fault(record, checks)
    if task.anatomy.shape == "text":
        return lambda record: ""
    declared = msgspec.json.decode(task.output_format_json, type=OutputFormat | None)
    valid = _compiled(declared.schema if declared else None)
    always = [
        field.path for field in task.anatomy.fields if field.required and field.present == 1.0
    ]

    def fault(record: Mapping[str, Any]) -> str:
        missing = [path for path in always if path not in record]
        if missing:
            return f"{_shown(missing[0])} is missing."
        return "" if _fits(valid, record) else "It does not fit the response schema."

    return fault


def _fits(valid: Callable[[Any], bool], record: Mapping[str, Any]) -> bool:
    return valid(unflatten(dict(record)))


def _call_fault(record: Mapping[str, Any], checks: Mapping[str, Callable[[Any], bool]]) -> str:
    try:
        calls = tool_calls(dict(record))
    except ValueError:
        return "Its calls are none."
    for name, arguments in calls:
        # Of a task from a log without declarations any tool may be one of its own.
        if checks and name not in checks:
            return f"It calls {name[:60]!r}, which is none of the tools."
        if checks and not checks[name](arguments):
            return f"The arguments of {name[:60]!r} do not fit its schema."
    return ""


def _compiled(schema: dict[str, Any] | None) -> Callable[[Any], bool]:
    """Return the check of a schema; one that can't be compiled holds nobody to anything."""
    try:
        # Offline: a schema never makes this machine fetch anything.
        return jsonschema_rs.validator_for(schema or True, offline=True).is_valid
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError):
        return lambda value: True
