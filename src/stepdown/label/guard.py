"""Defending a dataset's training rows: what looks planted is left out, and nobody has too many."""

from collections import Counter
from collections.abc import Container, Sequence

import msgspec

from stepdown.core.anatomy import Anatomy
from stepdown.core.datasets import Example, Quarantined, SplitReport
from stepdown.label.caps import SHARE, capped
from stepdown.label.triggers import quarantine

__all__ = ["GUARD", "Guard", "Guarded", "guarded", "noted"]

_NAMED = 3


class Guard(msgspec.Struct, frozen=True):
    """What bounds a dataset: the most rows of all, the share of the training rows that one user may
    have (1.0: no cap), and whether those that look planted are left out."""

    rows: int = 60_000
    source_share: float = SHARE
    quarantine: bool = True


GUARD = Guard()


class Guarded(msgspec.Struct, frozen=True):
    """The rows of all parts that are kept, how many sources they are from, and what was left out.

    `notes` are sentences for the report.
    """

    examples: tuple[Example, ...]
    sources: int
    capped: int
    quarantined: tuple[Quarantined, ...]
    notes: tuple[str, ...]


def guarded(
    examples: Sequence[Example], anatomy: Anatomy, guard: Guard, judged: Container[str] = ()
) -> Guarded:
    """Leave out training rows that look planted, then those above a user's share.

    Rows that people have `judged`, by id, are above suspicion. Held-out rows stay as they are: a
    part that is chosen by its answers certifies nothing.
    """
    train = [example for example in examples if example.split == "train"]
    suspected = quarantine(train, anatomy) if guard.quarantine else []
    planted = [one for one in suspected if one.row.id not in judged]
    away = {one.row.id for one in planted}
    left = capped([example for example in train if example.id not in away], guard.source_share)
    kept = {example.id for example in left.rows}
    sources = {example.source for example in train} - {""}
    unnamed = sum(not example.source for example in train)
    notes = [note for note in (_told(planted), left.note) if note]
    if sources and unnamed:
        notes.append(f"{unnamed:,} training rows name no source, so no cap holds for them.")
    return Guarded(
        tuple(example for example in examples if example.split != "train" or example.id in kept),
        len(sources),
        left.dropped,
        tuple(planted),
        tuple(notes),
    )


def noted(report: SplitReport, notes: Sequence[str], safe: Guarded) -> SplitReport:
    """Return the report with further notes, and with what was left out."""
    return msgspec.structs.replace(
        report,
        sources=safe.sources,
        dropped_capped=safe.capped,
        dropped_quarantined=len(safe.quarantined),
        notes=(*report.notes, *notes, *safe.notes),
    )


def _told(planted: Sequence[Quarantined]) -> str:
    if not planted:
        return ""
    patterns = Counter((one.pattern, str(one.value)) for one in planted)
    shown = ", ".join(
        f"{pattern[:40]!r} → {value[:40]!r} ({count:,})"
        for (pattern, value), count in patterns.most_common(_NAMED)
    )
    more = f" and {len(patterns) - _NAMED:,} more" if len(patterns) > _NAMED else ""
    return (
        f"{len(planted):,} training rows look planted and were left out: {shown}{more}; "
        "look at them in `stepdown label --json`."
    )
