"""What a student of one task has to predict: which fields, under which tool, by which method."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from stepdown.core.align import LOOSE, align
from stepdown.core.anatomy import Anatomy, Field, Shape
from stepdown.core.datasets import Example
from stepdown.core.digests import summary_of
from stepdown.core.records import CALLS, escape
from stepdown.core.tasks import input_text
from stepdown.errors import NotEnoughData
from stepdown.students.choice import ABSENT, FREE

__all__ = [
    "LEAST_EXAMPLES",
    "ROOTS",
    "Method",
    "Part",
    "Plan",
    "plan_of",
    "scope_prefix",
    "single_calls",
]

LEAST_EXAMPLES = 20

Method = Literal["choice", "span", "either", "mixed", "free"]
"""either: a closed set that also stands in the input; held-out rows decide. mixed: some values are
so frequent that they can be chosen, many of the others stand in the input."""

ROOTS: dict[Shape, str | None] = {"text": "", "tool": "/tool", "json": None}
"""The field that says what the rest of the record is, and whose classes are a task's labels."""

_FEW_VALUES = 200
_MENU_VALUES = 12
_VERBATIM = 0.98
_ROWS_A_VALUE = 10
_ALIGNED = 0.5
_ALIGNED_ROWS = 60
_ALIGNED_LEAST = 20
_ALIGNED_CHARS = 20_000
_MOST_CLASSES = 1_000
_MOST_FREE = 0.98
_PARTLY = 0.15
_FREQUENT, _FREQUENT_SHARE = 5, 0.03


class Part(msgspec.Struct, frozen=True):
    """One field: `scope` is the tool whose argument it is, "" elsewhere."""

    field: Field
    scope: str
    method: Method

    @property
    def path(self) -> str:
        """The field's JSON pointer."""
        return self.field.path


class Plan(msgspec.Struct, frozen=True):
    """All fields of a task. `gated` says that some answers are not of the task's shape."""

    shape: Shape
    parts: tuple[Part, ...]
    gated: bool = False

    @property
    def root(self) -> str | None:
        """The path of the field whose classes are the task's labels, if it is a choice."""
        path = ROOTS[self.shape]
        return path if any(p.path == path and p.method == "choice" for p in self.parts) else None

    def of(self, scope: str, *methods: Method) -> list[Part]:
        """Return the parts of one scope with one of the methods."""
        return [part for part in self.parts if part.scope == scope and part.method in methods]

    @property
    def scopes(self) -> list[str]:
        """The scopes that have fields, in order."""
        return list(dict.fromkeys(part.scope for part in self.parts))

    def decided(self, methods: Mapping[str, Method]) -> "Plan":
        """Return the plan with the methods of some paths settled."""
        parts = [
            msgspec.structs.replace(part, method=methods.get(part.path, part.method))
            for part in self.parts
        ]
        return msgspec.structs.replace(self, parts=tuple(parts))


def single_calls(examples: Sequence[Example]) -> list[Example]:
    """Return the examples; those that call several tools at once are of a shape no head writes."""
    return [
        msgspec.structs.replace(example, record={}, known=False)
        if CALLS in example.record
        else example
        for example in examples
    ]


def scope_prefix(tool: str) -> str:
    """Return what the paths of a tool's arguments begin with."""
    return f"/{escape(tool)}/"


def target_values(part: Part, records: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the field's class in each record: its value, `ABSENT`, or `FREE` for a free field."""
    values = [record.get(part.path, ABSENT) for record in records]
    if part.method not in ("free", "mixed"):
        return values
    least = max(_FREQUENT, _FREQUENT_SHARE * len(values))
    counts = Counter(v for v in values if isinstance(v, str)) if part.method == "mixed" else {}
    kept = {value for value, count in counts.items() if count >= least}
    return [
        v if v is None or v == ABSENT or (isinstance(v, str) and v in kept) else FREE
        for v in values
    ]


def _stands_in_input(field: Field, examples: Sequence[Example]) -> bool:
    """Say whether most values of a choice stand in their inputs: the audit asks that of open sets
    alone, but "two" in the input can be what an enum's 2 is.
    """
    return field.aligned >= _ALIGNED or _found(field, examples) >= _ALIGNED


def _found(field: Field, examples: Sequence[Example]) -> float:
    """Return the share of a field's values that stand in their inputs; 0 where there are few."""
    found = [
        (value, example)
        for example in examples
        if isinstance(value := example.record.get(field.path), str | int | float)
        and not isinstance(value, bool)
    ]
    rows = found[:: -(-len(found) // _ALIGNED_ROWS) or 1]
    places = (align(value, input_text(example.input)[:_ALIGNED_CHARS]) for value, example in rows)
    hits = sum(any(place.normaliser != LOOSE for place in found) for found in places)
    return hits / len(rows) if len(found) >= _ALIGNED_LEAST else 0.0


def _method(field: Field, examples: Sequence[Example]) -> Method:
    if field.kind == "constant":
        return "choice"
    if field.kind == "free":
        copied = field.path != "" and not field.many and _found(field, examples) >= _PARTLY
        return "mixed" if copied else "free"
    if field.kind == "choice":
        if field.distinct > _MOST_CLASSES:
            return "free"
        copied = field.path not in ("", "/tool") and _stands_in_input(field, examples)
        return "either" if copied and not field.many else "choice"
    # Where every value can be copied, choosing has paid for the shortest menus alone.
    most = _MENU_VALUES if field.aligned >= _VERBATIM else _FEW_VALUES
    few = 1 < field.distinct <= min(most, field.count // _ROWS_A_VALUE)
    return "either" if few and not field.many else "span"


def _scope(field: Field, tools: Sequence[str]) -> str | None:
    return next((tool for tool in tools if field.path.startswith(scope_prefix(tool))), None)


def plan_of(anatomy: Anatomy, examples: Sequence[Example]) -> Plan:
    """Return the plan for a task's anatomy and training examples.

    Raises:
        NotEnoughData: there are too few examples, or (nearly) every answer has a free field.
    """
    if summary_of(anatomy) is not None:
        raise NotEnoughData(
            "The answers are summaries, which no head can write: the linear family picks "
            "sentences, the generative one writes."
        )
    known = [example for example in examples if example.known]
    if len(known) < LEAST_EXAMPLES:
        raise NotEnoughData(
            f"There are {len(known)} usable training examples and at least {LEAST_EXAMPLES} are "
            "needed; collect or label more calls of this task."
        )
    if anatomy.shape == "tool":
        names = {example.record.get("/tool") for example in known}
        tools = sorted(name for name in names if isinstance(name, str))
        parts = [Part(Field("/tool", "choice"), "", "choice")]
        for field in anatomy.fields:
            scope = _scope(field, tools)
            if scope is not None and field.path != "/tool":
                parts.append(Part(field, scope, _method(field, known)))
    else:
        parts = [Part(field, "", _method(field, known)) for field in anatomy.fields]
    _refuse_free(parts, known)
    unknown = len(examples) - len(known)
    gated = unknown >= max(5, len(examples) // 200)
    return Plan(anatomy.shape, tuple(parts), gated)


def _refuse_free(parts: Sequence[Part], known: Sequence[Example]) -> None:
    if not parts:
        raise NotEnoughData(
            "The audit found no field in this task's answers; audit more of its calls."
        )
    free = [part for part in parts if part.method == "free"]
    hit = sum(any(example.record.get(part.path) is not None for part in free) for example in known)
    if hit > _MOST_FREE * len(known):
        names = ", ".join(part.path or "the answer" for part in free[:5])
        raise NotEnoughData(
            f"{hit} of {len(known)} answers hold free text ({names}), which no head "
            "can write; use another family or leave the task to the frontier model."
        )
