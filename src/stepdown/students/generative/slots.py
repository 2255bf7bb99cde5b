"""An answer as lines that a language model writes: one a field, always in the same order.

A line is the field's path, a colon, a space and the value as JSON; a text answer is its own only
line. The model writes values alone, and so can't invent, forget or reorder a key, nor fill a
context with blanks. A line breaks where tokenizers break: no token spans a path and its value.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from stepdown.core.anatomy import Field, Shape
from stepdown.core.datasets import Example
from stepdown.core.records import CALLS, escape
from stepdown.core.tasks import Task
from stepdown.students.generative.schemas import schema_of

__all__ = [
    "SEVERAL",
    "TOOL",
    "Form",
    "Slot",
    "form_of",
    "instruction",
    "line_of",
    "target_of",
    "text_of",
]

TOOL = "/tool"
SEVERAL = "*"
"""What stands for several calls where a tool's name would."""

_MOST_OPTIONS = 300
_SHOWN_OPTIONS = 40
_SHOWN_ARGUMENTS = 16


class Slot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value to be written: one of `options` where there are any, else what `schema` allows.

    `lead` is what stands on the line before the value. A `bare` value is text, not JSON.
    """

    path: str
    lead: str
    options: tuple[Any, ...] = ()
    schema: dict[str, Any] | None = None
    bare: bool = False


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The slots of each scope: a tool's name, or "" for what comes before or without one.

    `blanks` says what null stands for, by path: null itself, or that the field is not there.
    """

    shape: Shape
    scopes: dict[str, tuple[Slot, ...]]
    blanks: dict[str, Literal["null", "absent"]] = {}


def form_of(task: Task, examples: Sequence[Example]) -> Form:
    """Return the form of a task's answers, its options and schemas learnt from the examples."""
    known = [example.record for example in examples if example.known]
    shape = task.anatomy.shape
    if shape == "tool":
        return _tool_form(task, known)
    slots = tuple(
        slot
        for field in task.anatomy.fields
        if (slot := _slot(field, known, bare=field.path == "")) is not None
    )
    return Form(shape, {"": slots}, _blanks(task.anatomy.fields, known))


def _tool_form(task: Task, known: Sequence[Mapping[str, Any]]) -> Form:
    called = Counter(scope_of(record) for record in known)
    names = [name for name, _ in called.most_common()]
    scopes: dict[str, tuple[Slot, ...]] = {"": (Slot(TOOL, "tool:", tuple(names)),)}
    fields = task.anatomy.fields
    for name in names:
        if name is None:
            continue
        if name == SEVERAL:
            lists = [record[CALLS] for record in known if CALLS in record]
            scopes[name] = (Slot(CALLS, "calls:", (), schema_of(lists)),)
            continue
        own = [record for record in known if record.get(TOOL) == name]
        inside = [f for f in fields if f.path.startswith(f"/{escape(name)}/")]
        found = (_slot(field, own, bare=False) for field in inside)
        scopes[name] = tuple(slot for slot in found if slot is not None)
    return Form("tool", scopes, _blanks(fields, known))


def scope_of(record: Mapping[str, Any]) -> str | None:
    """Return the tool that a record calls, None for none, "*" for several calls."""
    return SEVERAL if CALLS in record else record.get(TOOL)


def _slot(field: Field, records: Sequence[Mapping[str, Any]], *, bare: bool) -> Slot | None:
    values = [record.get(field.path) for record in records]
    if not any(value is not None for value in values):
        return None
    lead = "" if bare else f"{field.path}:"
    closed = field.kind in ("choice", "constant") and not field.many
    counts = Counter(json.dumps(value, sort_keys=True) for value in values)
    if closed and len(counts) <= _MOST_OPTIONS:
        options = tuple(json.loads(text) for text, _ in counts.most_common())
        return Slot(field.path, lead, options, None, bare)
    schema = None if bare else schema_of(values)
    return Slot(field.path, lead, (), schema, bare)


def _blanks(
    fields: Sequence[Field], records: Sequence[Mapping[str, Any]]
) -> dict[str, Literal["null", "absent"]]:
    blanks: dict[str, Literal["null", "absent"]] = {}
    for field in fields:
        null = sum(field.path in record and record[field.path] is None for record in records)
        absent = sum(field.path not in record for record in records)
        if null or absent:
            blanks[field.path] = "null" if null > absent else "absent"
    return blanks


def text_of(slot: Slot, value: Any) -> str:
    """Return how a value is written in its slot, the end of its line included."""
    if slot.bare:
        return str(value)
    return f" {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n"


def line_of(slot: Slot, value: Any) -> str:
    """Return the whole line."""
    return slot.lead + text_of(slot, value)


def target_of(form: Form, record: Mapping[str, Any]) -> str | None:
    """Return the text that stands for a record; None where the form has no place for it."""
    lines: list[str] = []
    tool = scope_of(record) if form.shape == "tool" else None
    for scope in ("", tool):
        if scope is None:
            continue
        if scope not in form.scopes:
            return None
        values = {TOOL: tool, **record}
        lines += [line_of(slot, values.get(slot.path)) for slot in form.scopes[scope]]
    return "".join(lines)


def instruction(form: Form) -> str:
    """Return what to tell a model in a sentence or two: what to answer, and in which form."""
    whole = form.scopes[""]
    if form.shape == "text":
        options = whole[0].options if whole else ()
        if not options or len(options) > _SHOWN_OPTIONS:
            return "Answer as you were taught."
        return f"Answer with one of: {', '.join(map(str, options))}."
    if form.shape == "tool":
        brief = sum(map(len, form.scopes.values())) > _SHOWN_ARGUMENTS
        tools = [
            name if brief else f"{name}({', '.join(s.path.rpartition('/')[2] for s in slots)})"
            for name, slots in form.scopes.items()
            if name
        ]
        return f"Choose the tool to call and its arguments, one a line: {'; '.join(tools)}."
    return f"Answer with these fields, one a line: {', '.join(slot.path for slot in whole)}."
