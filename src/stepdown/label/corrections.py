"""People's word on training answers: it stands above the teacher's."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from stepdown.core.anatomy import Anatomy
from stepdown.core.datasets import Example
from stepdown.core.gold import Gold
from stepdown.core.records import same_record

__all__ = ["corrected", "correction_note"]


def corrected(
    examples: Sequence[Example],
    gold: Mapping[str, Gold],
    anatomy: Anatomy,
    merged: Mapping[str, str],
) -> tuple[Example, ...]:
    """Return the split examples with the training answers that people gave in place of others.

    Held-out rows keep the teacher's answer: what is certified there is agreement with the teacher,
    and a proof tells apart from it how either fares against people. Labels are spelt as `merged`
    has them. Where no answer is right there is nothing to learn.
    """
    chosen = {field.path for field in anatomy.fields if field.kind in ("choice", "constant")}

    def spelt(path: str, value: Any) -> Any:
        return merged.get(value, value) if path in chosen and isinstance(value, str) else value

    made: list[Example] = []
    for example in examples:
        word = gold.get(example.id)
        if word is None or word.verdict == "skipped" or example.split != "train":
            made.append(example)
        elif not word.known:
            made.append(msgspec.structs.replace(example, record={}, known=False, soft={}))
        else:
            record = {path: spelt(path, value) for path, value in word.record.items()}
            # The teacher's log-probabilities are of its own answer.
            soft = example.soft if same_record(record, example.record) else {}
            made.append(msgspec.structs.replace(example, record=record, known=True, soft=soft))
    return tuple(made)


def correction_note(before: Sequence[Example], after: Sequence[Example]) -> tuple[str, ...]:
    """Say how many answers people changed; () for none."""
    changed = sum(
        now.known and not (then.known and same_record(then.record, now.record))
        for then, now in zip(before, after, strict=True)
    )
    out = sum(then.known and not now.known for then, now in zip(before, after, strict=True))
    if not changed and not out:
        return ()
    return (
        f"{changed:,} training answers are people's in place of the teacher's; {out:,} rows have "
        "no right answer and teach nothing.",
    )
