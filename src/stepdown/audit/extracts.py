"""Text answers that are summaries: much shorter than the input, and made of what it says."""

from collections.abc import Sequence
from statistics import median

import msgspec
import numpy as np

from stepdown.core.digests import Limits, marks

__all__ = ["Extracts", "find_extracts"]

_LEAST_ROWS = 20
_LEAST_WORDS = 8
_SHORTER = 2.0
"""The median input is at least this many times as long as its answer."""
_TAKEN = 0.7
"""Of what an answer is told by, this share stands in the input: fewer is writing, not picking."""
_LEAST_COVERED = 0.7
_LONGEST = 0.95
_MOST_CHARS = 100_000


class Extracts(msgspec.Struct, frozen=True):
    """The limits of some summaries, and the share of them that are made of their inputs."""

    limits: Limits
    covered: float


def find_extracts(answers: Sequence[str], inputs: Sequence[str]) -> Extracts | None:
    """Return what most answers keep to where they are summaries of `inputs`, or None.

    The longest that a summary may be is what 95 % of the answers keep to.
    """
    if len(answers) < _LEAST_ROWS or median(len(a.split()) for a in answers) < _LEAST_WORDS:
        return None
    pairs = list(zip(answers, inputs, strict=True))
    if median(len(text) / max(len(said), 1) for said, text in pairs) < _SHORTER:
        return None
    covered = float(np.mean([_taken(said, text) >= _TAKEN for said, text in pairs]))
    if covered < _LEAST_COVERED:
        return None
    longest = float(np.quantile([len(said) for said in answers], _LONGEST))
    return Extracts(Limits(max(round(longest), 1)), covered)


def _taken(said: str, text: str) -> float:
    told = marks(said)
    return len(told & marks(text[:_MOST_CHARS])) / len(told) if told else 0.0
