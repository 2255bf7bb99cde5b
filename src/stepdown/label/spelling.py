"""One spelling a label: what differs in case or surrounding space alone is one value."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from stepdown.core.anatomy import Anatomy
from stepdown.core.datasets import Example
from stepdown.label.similarity import normalised

__all__ = ["merge_spellings"]


def merge_spellings(
    examples: Sequence[Example], anatomy: Anatomy
) -> tuple[list[Example], dict[str, str]]:
    """Return the examples with each choice's labels in their most frequent spelling.

    Only fields from a closed set are touched: in a copied or free text, case is content. Also
    returns odd spelling → the one that was kept, over all fields.
    """
    paths = [field.path for field in anatomy.fields if field.kind in ("choice", "constant")]
    keep = {path: _spellings(examples, path) for path in paths}
    merged = {odd: kept for table in keep.values() for odd, kept in table.items()}
    if not merged:
        return list(examples), {}
    return [_respelt(example, keep) for example in examples], merged


def _spellings(examples: Sequence[Example], path: str) -> dict[str, str]:
    forms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        value = example.record.get(path)
        if isinstance(value, str):
            forms[normalised(value)][value] += 1
    table: dict[str, str] = {}
    for counts in forms.values():
        # Of equally frequent spellings the first in the alphabet: not the log's order.
        kept = min(counts, key=lambda value: (-counts[value], value != value.strip(), value))
        table.update({odd: kept for odd in counts if odd != kept})
    return table


def _respelt(example: Example, keep: dict[str, dict[str, str]]) -> Example:
    record: dict[str, Any] = {
        path: keep.get(path, {}).get(value, value) if isinstance(value, str) else value
        for path, value in example.record.items()
    }
    return msgspec.structs.replace(example, record=record)
