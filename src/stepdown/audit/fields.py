"""What one output field is made of: constant, choice, copy, derived or free (DESIGN §1)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, cast

import msgspec

from stepdown.audit.declared import Declared
from stepdown.core.align import LOOSE, align
from stepdown.core.anatomy import Field, FieldKind
from stepdown.core.fingerprint import canonical_json
from stepdown.core.normalise import IDENTITY, best_normaliser

__all__ = ["Column", "measure_field", "prose", "unseen_mass"]

_ALIGNED = 0.7
"""The least share of values that must stand in the input to be copied from it: for the others a
student abstains, and below this too many would be others."""
_VERBATIM = 0.98
"""From this share on, values are copied even where they are few: no other explanation is needed."""
_UNSEEN_CLOSED = 0.05
"""Up to this chance that the next value is new, the set is closed."""
_UNSEEN_TINY = 0.01
"""Up to this chance, choosing beats copying what at times can't be copied."""
_MENU_ROWS = 40
_MENU_VALUES = 12
_UNSEEN_OPEN = 0.25
"""Short values that can't be copied are still chosen from when three in four are known."""
_SHORT_WORDS = 6
_PROSE_WORDS = 15
_FEW = 20
_KNOWN_VALUES = 1_000
_ALIGNED_ROWS = 300
_ALIGNED_CHARS = 1_500_000

_TYPES: dict[type[Any], str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
}


class Column(msgspec.Struct):
    """The values of one field with the inputs they answer; `records` could have had the field."""

    path: str
    records: int
    values: list[Any]
    inputs: list[str]


def measure_field(column: Column, declared: Declared | None) -> Field:
    """Measure one field: its kind, values, nullability, alignment and normaliser."""
    known = [(v, t) for v, t in zip(column.values, column.inputs, strict=True) if v is not None]
    many = bool(known) and all(_is_scalar_list(value) for value, _ in known)
    pairs = list(_items(known)) if many else known
    census = _Census([value for value, _ in pairs])
    rows = len(column.values)
    field = Field(
        path=column.path,
        kind="free",
        type=_type(pairs),
        distinct=census.distinct,
        count=rows,
        present=rows / column.records if column.records else 0.0,
        null=1 - len(known) / rows if rows else 0.0,
        many=many,
        required=declared.required if declared else rows == column.records,
    )
    constant = _constant(column)
    if constant is not None and (rows >= _FEW or not _stands_in(pairs)):
        return msgspec.structs.replace(
            field, kind="constant", values=constant, many=False, distinct=1
        )
    if any(isinstance(value, list | dict) for value, _ in pairs) or not pairs:
        return field
    closed = _is_closed(pairs, declared)
    aligned, normaliser = (0.0, "") if closed else _alignment(pairs)
    chosen = closed or _is_chosen(census, aligned, pairs)
    kind = "choice" if chosen else _copied(aligned, normaliser)
    return msgspec.structs.replace(
        field,
        kind=kind,
        values=census.values if kind == "choice" else (),
        aligned=aligned,
        normaliser=normaliser if kind in ("copy", "derived") else "",
    )


def prose(column: Column) -> bool:
    """Say whether the field's values are sentences rather than values."""
    lengths = [len(v.split()) for v in column.values if isinstance(v, str)]
    return bool(lengths) and median(lengths) > _PROSE_WORDS


def unseen_mass(counts: Sequence[int]) -> float:
    """Return the chance that the next value is one never seen, from how often each one was.

    The share of values seen just once (Good, "The population frequencies of species and the
    estimation of population parameters", Biometrika 1953, §3). 1.0 without any.
    """
    total = sum(counts)
    return sum(count == 1 for count in counts) / total if total else 1.0


class _Census:
    """Which values there are and how often; strings that differ in case or blanks are one."""

    def __init__(self, values: Sequence[Any]) -> None:
        spellings: dict[bytes, Counter[bytes]] = {}
        originals: dict[bytes, Any] = {}
        for value in values:
            exact = canonical_json(value)
            originals.setdefault(exact, value)
            spellings.setdefault(_folded(value, exact), Counter())[exact] += 1
        ranked = sorted(spellings.items(), key=lambda item: (-item[1].total(), item[0]))
        self.counts = [spelling.total() for _, spelling in ranked]
        self.distinct = len(ranked)
        # The commonest spelling stands for all; ties fall to the first in canonical order.
        commonest = (min(s.items(), key=lambda e: (-e[1], e[0]))[0] for _, s in ranked)
        self.values = tuple(originals[exact] for exact in commonest)[:_KNOWN_VALUES]
        self.unseen = unseen_mass(self.counts)
        lengths = [len(v.split()) for v in self.values if isinstance(v, str)]
        self.short = not lengths or median(lengths) <= _SHORT_WORDS


def _folded(value: Any, exact: bytes) -> bytes:
    return canonical_json(" ".join(value.split()).casefold()) if isinstance(value, str) else exact


def _is_chosen(census: _Census, aligned: float, pairs: Sequence[tuple[Any, str]]) -> bool:
    """Say whether the values come from a closed set rather than from the input."""
    if aligned >= _VERBATIM:
        return census.unseen <= _UNSEEN_CLOSED and _is_menu(census, pairs)
    if aligned >= _ALIGNED:
        return census.unseen <= _UNSEEN_TINY
    return census.unseen <= (_UNSEEN_OPEN if census.short else _UNSEEN_CLOSED)


def _copied(aligned: float, normaliser: str) -> FieldKind:
    if aligned < _ALIGNED:
        return "free"
    return "copy" if normaliser == IDENTITY else "derived"


def _is_menu(census: _Census, pairs: Sequence[tuple[Any, str]]) -> bool:
    """Say whether inputs hold the other values too, as where they list what to choose from.

    Each has a place of its own there: a "today" that may be any day lists none.
    """
    values = census.values[:_MENU_VALUES]
    rows = pairs[:: -(-len(pairs) // _MENU_ROWS)]
    others = 0
    for value, text in rows:
        spans = Counter(_places(other, text) for other in values if other != value)
        others += sum(bool(span) and count == 1 for span, count in spans.items())
    return others >= len(rows)


def _is_scalar_list(value: Any) -> bool:
    return isinstance(value, list) and not any(
        isinstance(item, list | dict) for item in cast("list[Any]", value)
    )


def _items(rows: Sequence[tuple[Any, str]]) -> Iterator[tuple[Any, str]]:
    return ((item, text) for values, text in rows for item in values if item is not None)


def _type(pairs: Sequence[tuple[Any, str]]) -> str:
    kinds = Counter(_TYPES.get(cast("type[Any]", type(value)), "object") for value, _ in pairs)
    if kinds["integer"] and kinds["number"]:
        kinds["number"] += kinds.pop("integer")
    return kinds.most_common(1)[0][0] if kinds else "null"


def _is_closed(pairs: Sequence[tuple[Any, str]], declared: Declared | None) -> bool:
    return bool(declared and declared.closed) or all(isinstance(v, bool) for v, _ in pairs)


def _constant(column: Column) -> tuple[Any] | None:
    """Return the field's one value, or None: also where it is at times absent."""
    if not column.values or len(column.values) != column.records:
        return None
    distinct = {canonical_json(value) for value in column.values}
    return (column.values[0],) if len(distinct) == 1 else None


def _stands_in(pairs: Sequence[tuple[Any, str]]) -> bool:
    return bool(pairs) and all(
        not isinstance(v, dict) and _places(v, text) is not None for v, text in pairs
    )


def _places(value: Any, text: str) -> str | None:
    """Return the span that gives the value, "" for one that does so only loosely, or None."""
    found = align(value, text)
    if not found:
        return None
    exact = next((a for a in found if a.normaliser != LOOSE), None)
    return text[exact.start : exact.end] if exact else ""


def _alignment(pairs: Sequence[tuple[Any, str]]) -> tuple[float, str]:
    """Return the share of values found in their input, and the normaliser that gives most."""
    sample = _spread(pairs)
    spans = [(value, _places(value, text)) for value, text in sample]
    exact = [(value, span) for value, span in spans if span]
    name, _ = best_normaliser(exact)
    return len(exact) / len(sample), name


def _spread(pairs: Sequence[tuple[Any, str]]) -> Sequence[tuple[Any, str]]:
    """Return pairs from all over, few enough that aligning them is quick."""
    chars = sum(len(text) for _, text in pairs) / len(pairs)
    rows = max(_FEW, min(_ALIGNED_ROWS, int(_ALIGNED_CHARS / (chars + 1))))
    return pairs[:: -(-len(pairs) // rows)]
