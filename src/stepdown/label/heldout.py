"""Who may be held out: rows that were drawn without a look at them (docs/decisions/0017-drawn.md).

A hash of its text keeps every input apart or not, before anything is known of it. Inputs that are
kept apart are only ever asked at random, in the order of their hashes; what is chosen comes from
the others. So all rows whose hash is at most that of the last one asked, of the log as well, are
one random sample of the task's inputs, whatever was chosen beside them.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from stepdown.core.datasets import Example, Origin
from stepdown.core.fingerprint import uniform
from stepdown.core.labels import Label
from stepdown.core.tasks import Input, input_text
from stepdown.label.similarity import normalised

__all__ = ["KEPT_APART", "Drawn", "Frame", "coin", "drawn", "origin_of"]

KEPT_APART = 0.4
"""The share of all inputs that is kept apart: as large a part as calibration and test ever are."""

Frame = Literal["all", "whole", "log"]
"""What the held-out rows are a sample of: all rows of a log that nothing was paid for; the answered
and the asked inputs together; or the inputs that the log has answers to.
"""


class Drawn(msgspec.Struct, frozen=True):
    """`able` says of each row whether it may be held out; `clusters` counts what can be."""

    frame: Frame
    able: tuple[bool, ...]
    clusters: int


def coin(given: Input) -> float:
    """Return the number in [0, 1) that decides whether and when an input is asked at random."""
    return uniform(f"apart {normalised(input_text(given))}")


def origin_of(labels: Iterable[Label]) -> tuple[Origin, float | None]:
    """Return the origin of a row that these labels are of, and how likely it was to be drawn.

    What is only asked again has the log's answer too: that the log has it is its origin.
    """
    reasons = {label.why: label.probability for label in labels}
    if "random" in reasons:
        return "random", reasons["random"]
    if "synthetic" in reasons:
        return "synthetic", None
    return ("chosen" if reasons.keys() - {"again"} else "log"), None


def drawn(examples: Sequence[Example], clusters: Sequence[int], wanted: int) -> Drawn:
    """Say which rows may be held out, where `wanted` of them are needed.

    `clusters` has the near-duplicate cluster of each row: of the log a cluster is as likely to be
    held out as an input of the random part, however often it repeats. The log's answers stand alone
    where the random part is still too small to thin them by.
    """
    origins = {example.origin for example in examples}
    if origins <= {"log"}:
        return Drawn("all", (True,) * len(examples), len(set(clusters)))
    own = [coin(example.input) for example in examples]
    coins: dict[int, float] = {}
    for value, cluster in zip(own, clusters, strict=True):
        coins.setdefault(cluster, value)
    # What was chosen may have had an answer of another model in the log: then the rest of the log
    # is no random part of it any more, but what is kept apart of it still is.
    most = KEPT_APART if "chosen" in origins else 1.0
    asked = [value for value, e in zip(own, examples, strict=True) if e.origin == "random"]
    reach = max((value for value in asked if value < most), default=-1.0)
    whole = tuple(
        (example.origin == "random" and value <= reach)
        or (example.origin == "log" and coins[cluster] <= reach)
        for example, value, cluster in zip(examples, own, clusters, strict=True)
    )
    log = tuple(
        example.origin == "log" and coins[cluster] < most
        for example, cluster in zip(examples, clusters, strict=True)
    )
    found = _counted("whole", whole, clusters), _counted("log", log, clusters)
    return found[0] if found[0].clusters >= min(wanted, found[1].clusters) else found[1]


def _counted(frame: Frame, able: tuple[bool, ...], clusters: Sequence[int]) -> Drawn:
    inside = {cluster for cluster, fit in zip(clusters, able, strict=True) if fit}
    return Drawn(frame, able, len(inside))
