"""The anatomy of a task: its sampled answers, aligned field by field with their inputs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from stepdown.audit.declared import declared_fields
from stepdown.audit.extracts import find_extracts
from stepdown.audit.fields import Column, measure_field, prose
from stepdown.audit.sample import Sampled
from stepdown.audit.wordings import find_wordings
from stepdown.core.anatomy import Anatomy, Field, Shape
from stepdown.core.calls import OutputFormat, Toolset
from stepdown.core.digests import EXTRACT, style_of_summaries
from stepdown.core.filled import TEMPLATE, style_with
from stepdown.core.records import CALLS, escape, infer_shape, read_answer, style_of
from stepdown.core.tasks import Signature, input_text

__all__ = ["Dissection", "dissect"]

_MAX_FIELDS = 200
"""Answers with more leaf fields than this have keys made up as they go: the rarer ones are free."""

_EXAMPLES = 3
_EXAMPLE_CHARS = 200

_Record = dict[str, Any]


class Dissection(msgspec.Struct, frozen=True):
    """The anatomy, the free fields that hold sentences, and a few "input → answer" lines."""

    anatomy: Anatomy
    prose: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


def dissect(
    sample: Iterable[Sampled], signature: Signature, tools: Toolset, output_format: OutputFormat
) -> Dissection:
    """Measure the anatomy on sampled calls.

    Values are sought in the task's input alone (what stands in the templates' holes): what the
    prompt's constant part says is said to every call. Calls that do not fit the signature are left
    out.
    """
    pairs = list(_fitting(sample, signature))
    calls = [call for _, call in pairs]
    shape = infer_shape([call.answer for call in calls], bool(tools.tools))
    answers = ((read_answer(call.answer, shape), text) for text, call in pairs)
    read = [(record, text) for record, text in answers if record is not None]
    columns = _columns(read, shape)
    declared = declared_fields(tools, output_format)
    fields = tuple(measure_field(column, declared.get(column.path)) for column in columns)
    told = _told(columns, fields) if shape == "text" else None
    anatomy = _anatomy(shape, fields, calls, [record for record, _ in read], told)
    free = {field.path for field in anatomy.fields if field.kind == "free"}
    return Dissection(
        anatomy,
        tuple(column.path for column in columns if column.path in free and prose(column)),
        _examples(pairs),
    )


def _fitting(sample: Iterable[Sampled], signature: Signature) -> Iterator[tuple[str, Sampled]]:
    """Yield the calls that fit the signature, each behind its input."""
    for call in sample:
        found = signature.match(*call.texts)
        if found is not None:
            yield input_text(found), call


class _Told(msgspec.Struct, frozen=True):
    """A text answer that is told from its input after all: its field, and the anatomy's style."""

    field: Field
    style: dict[str, Any]


def _anatomy(
    shape: Shape,
    fields: tuple[Field, ...],
    calls: Sequence[Sampled],
    records: Sequence[_Record],
    told: _Told | None,
) -> Anatomy:
    """Return the anatomy of calls with these fields, or with the one that is told from its input.

    `records` are those of the calls whose answers could be read.
    """
    if told is not None:
        fields = (told.field,)
    bound_calls, bound_fields = _bound(records, fields)
    style = style_of(_written(calls)) if shape != "text" else {}
    if told is not None:
        covered, style = told.field.aligned, told.style
        bound_calls, bound_fields = bound_calls * covered, covered
    total = len(calls)
    return Anatomy(
        shape=shape,
        fields=fields,
        sampled=total,
        bound_calls=bound_calls / total if total else 0.0,
        bound_fields=bound_fields,
        none_share=_share(record.get("/tool") is None and CALLS not in record for record in records)
        if shape == "tool"
        else 0.0,
        several_calls_share=_share(len(call.answer.tool_calls) > 1 for call in calls),
        unreadable=total - len(records),
        style=style,
    )


def _told(columns: Sequence[Column], fields: Sequence[Field]) -> _Told | None:
    """Return what a free text answer is where it fills in templates or sums its input up."""
    if len(fields) != 1 or fields[0].kind != "free":
        return None
    answers, inputs = columns[0].values, columns[0].inputs
    wordings = find_wordings(answers, inputs)
    if wordings is not None:
        style = style_with(wordings.templates, wordings.slots)
        return _Told(_derived(fields[0], wordings.covered, TEMPLATE), style)
    extracts = find_extracts(answers, inputs)
    if extracts is None:
        return None
    style = style_of_summaries(extracts.limits)
    return _Told(_derived(fields[0], extracts.covered, EXTRACT), style)


def _derived(field: Field, covered: float, how: str) -> Field:
    return msgspec.structs.replace(field, kind="derived", aligned=covered, normaliser=how)


def _columns(read: Sequence[tuple[_Record, str]], shape: Shape) -> list[Column]:
    """Return the commonest fields, in the order of their first appearance."""
    seen = Counter(path for record, _ in read for path in record)
    kept = {path for path, _ in seen.most_common(_MAX_FIELDS)}
    tools = Counter[Any](record.get("/tool") for record, _ in read if shape == "tool")
    columns: dict[str, Column] = {}
    for record, text in read:
        tool = record.get("/tool") if shape == "tool" else None
        # An argument's records are those of its tool: it is not absent where another is called.
        prefix = f"/{escape(tool)}/" if isinstance(tool, str) else None
        for path, value in record.items():
            if path not in kept:
                continue
            records = tools[tool] if prefix and path.startswith(prefix) else len(read)
            column = columns.setdefault(path, Column(path, records, [], []))
            column.values.append(value)
            column.inputs.append(text)
    return list(columns.values())


def _bound(records: Sequence[_Record], fields: Sequence[Field]) -> tuple[float, float]:
    """Return how many records have no free value, and the share of values that are not free.

    A null is never free: that there is nothing to say is a choice.
    """
    bound = {field.path for field in fields if field.kind != "free"}
    calls = values = free = 0
    for record in records:
        unbound = sum(value is not None and path not in bound for path, value in record.items())
        calls += not unbound
        values += len(record)
        free += unbound
    return calls, 1 - free / values if values else 0.0


def _share(flags: Iterable[bool]) -> float:
    marks = list(flags)
    return sum(marks) / len(marks) if marks else 0.0


def _written(calls: Sequence[Sampled]) -> list[str]:
    tool_calls = [tool_call.arguments for call in calls for tool_call in call.answer.tool_calls]
    return tool_calls or [call.answer.text for call in calls if call.answer.text]


def _examples(pairs: Iterable[tuple[str, Sampled]]) -> tuple[str, ...]:
    shown: dict[str, None] = {}
    for text, call in pairs:
        shown[f"{_cut(text)} → {_cut(_answer(call))}"] = None
        if len(shown) == _EXAMPLES:
            break
    return tuple(shown)


def _answer(call: Sampled) -> str:
    answer = call.answer
    if answer.tool_calls:
        return " ".join(f"{tool.name}({tool.arguments})" for tool in answer.tool_calls)
    return answer.text or answer.refusal or ""


def _cut(text: str) -> str:
    line = " ".join(text[: 4 * _EXAMPLE_CHARS].split())
    return line if len(line) <= _EXAMPLE_CHARS else line[: _EXAMPLE_CHARS - 1] + "…"
