"""Where a student agrees with its teacher and where it doesn't: by field, by label, by pair."""

from collections.abc import Sequence
from typing import Any

import msgspec

from stepdown.core.anatomy import Anatomy
from stepdown.core.fingerprint import canonical_json
from stepdown.core.proofs import Confusion, FieldRow, SliceRow
from stepdown.core.records import same_value
from stepdown.core.tasks import input_text
from stepdown.prove.outcomes import Outcome

__all__ = ["confusions", "field_rows", "slice_rows"]

_PAIRS = 60
_EXAMPLE = 120
_VALUE = 80
_UNREADABLE = "(an answer of another shape)"
_ABSENT = "(nothing)"


def _written(value: Any) -> str:
    if value is None:
        return _ABSENT
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return _cut(text, _VALUE)


def _cut(text: str, size: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= size else f"{text[: size - 1]}…"


def _paths(outcomes: Sequence[Outcome], anatomy: Anatomy) -> dict[str, str]:
    """Return path → kind of every field, those of the anatomy first."""
    paths = {field.path: str(field.kind) for field in anatomy.fields}
    others = {path for o in outcomes for path in (*o.example.record, *o.prediction.record)}
    return paths | {path: "unlisted" for path in sorted(others - paths.keys())}


def field_rows(
    outcomes: Sequence[Outcome], anatomy: Anatomy, threshold: float
) -> tuple[FieldRow, ...]:
    """Return for each field its agreement over the rows where either side has a value.

    `threshold` decides which rows count as answered; without any the answered agreement is None.
    """
    rows: list[FieldRow] = []
    for path, kind in _paths(outcomes, anatomy).items():
        total = answered = same = same_answered = 0
        for outcome in outcomes:
            said, got = outcome.example.record.get(path), outcome.prediction.record.get(path)
            if said is None and got is None:
                continue
            agrees = outcome.example.known and same_value(said, got)
            total += 1
            same += agrees
            if outcome.score >= threshold:
                answered += 1
                same_answered += agrees
        if total:
            share = same_answered / answered if answered else None
            rows.append(FieldRow(path, kind, total, same / total, share))
    return tuple(rows)


def _slicing_path(anatomy: Anatomy) -> str | None:
    if anatomy.shape == "tool":
        return "/tool"
    return next((field.path for field in anatomy.fields if field.kind == "choice"), None)


def slice_rows(
    outcomes: Sequence[Outcome], anatomy: Anatomy, threshold: float
) -> tuple[SliceRow, ...]:
    """Return one row for each of the teacher's values of the first choice field (or tool).

    Worst first: by the share of wrong answers among the answered, then by agreement. Empty where
    the task has no choice.
    """
    path = _slicing_path(anatomy)
    if path is None:
        return ()
    slices: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        known = outcome.example.known
        name = _written(outcome.example.record.get(path)) if known else _UNREADABLE
        slices.setdefault(name, []).append(outcome)
    rows = [_slice(name, members, threshold) for name, members in slices.items()]
    return tuple(sorted(rows, key=_badness))


def _slice(name: str, members: Sequence[Outcome], threshold: float) -> SliceRow:
    answered = [outcome for outcome in members if outcome.score >= threshold]
    return SliceRow(
        slice=name,
        rows=len(members),
        agreement=sum(outcome.agrees for outcome in members) / len(members),
        answered=len(answered),
        answered_wrong=sum(not outcome.agrees for outcome in answered),
    )


def _badness(row: SliceRow) -> tuple[float, int, float, str]:
    rate = row.answered_wrong / row.answered if row.answered else 0.0
    return -rate, -row.answered_wrong, row.agreement, row.slice


def confusions(
    outcomes: Sequence[Outcome], anatomy: Anatomy, threshold: float
) -> tuple[Confusion, ...]:
    """Return the 60 pairs of values that most often differ, choices before other fields.

    Among them, those that would be answered come first: they are the errors a user would see. Each
    has the beginning of one input (the first by id) to read.
    """
    kinds = _paths(outcomes, anatomy)
    found: dict[tuple[str, str, str], Confusion] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.example.id):
        said, got = outcome.example.record, outcome.prediction.record
        if not outcome.example.known or not got:
            continue
        for path in kinds:
            if same_value(said.get(path), got.get(path)):
                continue
            key = (path, _written(said.get(path)), _written(got.get(path)))
            old = found.get(key) or Confusion(
                *key, count=0, answered=0, example=_cut(input_text(outcome.example.input), _EXAMPLE)
            )
            live = outcome.score >= threshold
            found[key] = msgspec.structs.replace(
                old, count=old.count + 1, answered=old.answered + live
            )

    def worth(pair: Confusion) -> tuple[bool, int, int, str, str, str]:
        other = kinds[pair.field] != "choice"
        return other, -pair.answered, -pair.count, pair.field, pair.teacher, pair.student

    return tuple(sorted(found.values(), key=worth)[:_PAIRS])
