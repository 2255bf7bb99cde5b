"""Labels worth a second look: where a student that never saw the row is sure of another answer."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import msgspec

from stepdown.core.datasets import Example
from stepdown.core.ports import Rehearsed
from stepdown.core.records import same_record
from stepdown.core.tasks import input_text

__all__ = ["Doubt", "doubts"]


class Doubt(msgspec.Struct, frozen=True):
    """A training row whose answer may be the teacher's slip: what it said, what was guessed."""

    id: str
    input: str
    said: dict[str, Any]
    guessed: dict[str, Any]
    confidence: float


def doubts(rehearsed: Mapping[str, Rehearsed], examples: Sequence[Example]) -> list[Doubt]:
    """Return the doubted rows, surest guess first.

    A row is doubted when its rehearsed guess disagrees with the teacher at a confidence above the
    mean of the guesses that agree: confident learning's rule with one threshold for the whole
    record (Northcutt, Jiang and Chuang 2021, Confident Learning, section 3.1). They stay in
    training: a guess can be wrong as well, and they are for people to look at.
    """
    agreed: list[float] = []
    others: list[Doubt] = []
    for example in examples:
        guess = rehearsed.get(example.id)
        if guess is None or guess.confidence is None or not example.known:
            continue
        if same_record(guess.record, example.record):
            agreed.append(guess.confidence)
        else:
            others.append(
                Doubt(
                    example.id,
                    input_text(example.input),
                    example.record,
                    guess.record,
                    guess.confidence,
                )
            )
    if not agreed:
        return []
    least = fmean(agreed)
    found = [doubt for doubt in others if doubt.confidence > least]
    return sorted(found, key=lambda doubt: (-doubt.confidence, doubt.id))
