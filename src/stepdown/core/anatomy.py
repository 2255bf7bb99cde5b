"""The anatomy of a task's answers: which fields there are, and what each is made of."""

from typing import Any, Literal

import msgspec

__all__ = ["Anatomy", "Field", "FieldKind", "Shape"]

FieldKind = Literal["constant", "choice", "copy", "derived", "free"]
"""constant: always the same · choice: one of a closed set · copy: a span of the input ·
derived: a span put through a deterministic normaliser · free: anything else."""

Shape = Literal["text", "json", "tool"]
"""text: the whole answer is one field · json: an object · tool: a tool call (or none)."""


class Field(msgspec.Struct, frozen=True):
    """One output field, as measured on a sample of the task's calls.

    `path` is a JSON pointer: "" for a text answer, "/total" or "/address/city" in an object,
    "/tool" for the tool's name and "/<tool>/<argument>" for its arguments. `values` are the known
    values of a choice (JSON values, most frequent first) or the one of a constant. `present` is the
    share of its records that have the field at all, `null` the share of those where it is null,
    `aligned` the share of non-null values found in the input through `normaliser`. `many` marks a
    list of scalars: kind and alignment are then those of its items.
    """

    path: str
    kind: FieldKind
    type: str = "string"
    values: tuple[Any, ...] = ()
    distinct: int = 0
    count: int = 0
    present: float = 1.0
    null: float = 0.0
    aligned: float = 0.0
    normaliser: str = ""
    many: bool = False
    required: bool = True


class Anatomy(msgspec.Struct, frozen=True):
    """All fields of a task's answers.

    `sampled` calls were measured. `bound_calls` is the share of calls with no free field in them;
    `bound_fields` the share of field values that are not free. `style` keeps how the teacher wrote
    the answer, so that the student's is written alike: {"fence": bool, "separators": [",", ":"],
    "key_order": [...], "indent": int | None}; where text answers fill in templates, these
    (`core.filled`). `none_share` is the share of answers without a tool
    call where the shape is tool. `unreadable` counts answers that are not of the task's shape.
    """

    shape: Shape
    fields: tuple[Field, ...]
    sampled: int
    bound_calls: float
    bound_fields: float
    none_share: float = 0.0
    several_calls_share: float = 0.0
    unreadable: int = 0
    style: dict[str, Any] = {}
