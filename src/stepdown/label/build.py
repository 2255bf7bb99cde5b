"""A task's dataset from its logged calls."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from stepdown.core.calls import Call
from stepdown.core.datasets import Dataset, Example, SplitReport
from stepdown.core.gold import Gold
from stepdown.core.labels import Label
from stepdown.core.stats import cp_upper, rows_needed
from stepdown.core.tasks import Task
from stepdown.errors import NotEnoughData
from stepdown.label.archive import named
from stepdown.label.check import check_split
from stepdown.label.corrections import corrected, correction_note
from stepdown.label.guard import GUARD, Guard, guarded, noted
from stepdown.label.outcomes import judge_of
from stepdown.label.sample import examples_of, sample
from stepdown.label.spelling import merge_spellings
from stepdown.label.split import SIMILARITY, Splitting, shares, split_examples
from stepdown.label.votes import Ballot

__all__ = ["build_dataset"]

_LEAST = 60
_BYTE_CAP = 512 * 1024 * 1024
_CALIBRATION_SHARE = 0.4


def build_dataset(
    task: Task,
    calls: Iterable[Call],
    *,
    budget: float = 0.02,
    confidence: float = 0.95,
    gold: Mapping[str, Gold] = MappingProxyType({}),
    labels: Mapping[str, Sequence[Label]] = MappingProxyType({}),
    guard: Guard = GUARD,
) -> Dataset:
    """Make the dataset of `task`: the teacher's logged answers, split with nothing on two sides.

    Calls of other tasks and a student's own answers are passed over; above `guard.rows` calls a
    sample is kept that depends on their ids alone. `split.shares` says how large the parts are, and
    `split_examples` how they are made. Labels that differ in case or outer space are merged. What
    people said of training answers (`gold`, by call) stands above them; `labels` are paid answers,
    by call, whose majority stands in place of the logged one (`votes.settled`). `guard` says what
    is done against rows that somebody planted.

    Raises:
        NotEnoughData: fewer than 60 calls can be used, or too few to calibrate with for `budget`.
    """
    delta = round(1.0 - confidence, 12)
    ballot = Ballot(labels, judge_of(task) if labels else None)
    found = sample(examples_of(task, calls, ballot), guard.rows, _BYTE_CAP)
    usable = sum(example.known for example in found)
    needed = rows_needed(budget, delta)
    if usable < _LEAST:
        raise NotEnoughData(_too_few(task, usable, len(found), needed))
    examples, merged = merge_spellings(found, task.anatomy)
    made = split_examples(examples, shares(len(examples), budget, delta))
    final = corrected(made.examples, gold, task.anatomy, merged)
    safe = guarded(final, task.anatomy, guard, gold)
    report = _report(msgspec.structs.replace(made, examples=safe.examples), examples)
    if report.calibration < needed:
        raise NotEnoughData(_short(task, report, needed, (budget, delta), len(found)))
    told = (*ballot.notes(safe.examples), *correction_note(made.examples, final))
    return named(
        Dataset("", task.id, safe.examples, noted(report, told, safe), merged, safe.quarantined)
    )


def _report(made: Splitting, examples: list[Example]) -> SplitReport:
    counted = check_split(made.examples, max(made.similarity, SIMILARITY[0]))
    report = msgspec.structs.replace(
        counted,
        dropped_duplicates=made.dropped_duplicates,
        dropped_late=made.dropped_late,
    )
    notes = (*_notes(report, examples), *_drawn(made))
    return msgspec.structs.replace(report, notes=notes)


def _drawn(made: Splitting) -> Iterator[str]:
    """Say what the held-out rows are a sample of, where labels were paid for."""
    origins = Counter(example.origin for example in made.examples)
    paid = f"{origins['chosen']:,} chosen and {origins['synthetic']:,} made-up inputs only train"
    if made.frame == "whole":
        yield (
            "Held-out rows are one random sample of the task's inputs, be they answered in the log "
            f"or asked at random ({origins['random']:,}); {paid}."
        )
    elif made.frame == "log":
        yield (
            "Held-out rows are a random part of the inputs that the log has answers to: those "
            f"asked at random ({origins['random']:,}) are too few to speak for the others; {paid}."
        )
    if made.dropped_barred:
        yield (
            f"{made.dropped_barred:,} rows that may only train were left out: their group is held "
            "out, or the test part had begun."
        )


def _notes(report: SplitReport, examples: list[Example]) -> tuple[str, ...]:
    notes = [
        "Calibration and test hold one row of each cluster of near-duplicates, and none that is "
        f"like a training row (similarity {report.similarity:g} or more): the promise is about "
        "inputs that the student has not seen; repeats of those it has seen come on top.",
    ]
    groups = Counter(example.group for example in examples if example.group)
    if len(groups) == 1 and groups.total() == len(examples):
        notes.append("All rows have one group, which tells nothing apart: it was ignored.")
    elif groups and max(groups.values()) > len(examples) / 2:
        name, count = groups.most_common(1)[0]
        notes.append(f"One group ({name[:40]!r}) holds {count:,} of {len(examples):,} rows.")
    if report.similarity > SIMILARITY[0]:
        notes.append(
            "Most inputs share a long frame, so only inputs that are at least "
            f"{report.similarity:g} alike were kept on one side."
        )
    if report.dropped_late:
        notes.append(
            f"{report.dropped_late:,} rows were left out: their group or cluster began before the "
            "test part and went on in it."
        )
    return tuple(notes)


def _too_few(task: Task, usable: int, found: int, needed: int) -> str:
    least = max(_LEAST, math.ceil(needed / _CALIBRATION_SHARE))
    unread = f" ({found - usable:,} more have an answer of another shape)" if found > usable else ""
    return (
        f"{task.name} has {usable:,} usable calls{unread}; a dataset at this budget takes about "
        f"{least:,}: collect {least - usable:,} more or allow a larger --budget."
    )


def _short(
    task: Task, report: SplitReport, needed: int, promise: tuple[float, float], found: int
) -> str:
    budget, delta = promise
    # The share of the calls that ends in calibration is what it was here: repeats are left out.
    share = max(report.calibration / found, 1 / found)
    least = math.ceil(needed / share)
    possible = cp_upper(0, report.calibration, delta)
    why = f"; {report.notes[-1]}" if report.largest_group > 0.5 else ""
    return (
        f"{task.name} leaves {report.calibration:,} of {found:,} calls to calibrate with, and a "
        f"budget of {budget:.1%} needs at least {needed:,} even without an error: collect about "
        f"{least - found:,} more, or allow a --budget of at least {possible:.1%}{why}"
    ).rstrip(".") + "."
