"""What a summary states, and what one summary loses against another: a loss in [0, 1].

Two people word a summary differently, so equality says nothing and shared n-grams (ROUGE) little:
one wrong number hardly lowers them. What counts is whether it invents (numbers and names that the
source does not have), whether it misses (what the reference took from the source), and whether it
is too long. The loss is the worst of these, so no virtue pays for another's fault.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from stepdown.core.anatomy import Anatomy

__all__ = [
    "EXTRACT",
    "Limits",
    "claims",
    "marks",
    "style_of_summaries",
    "summary_loss",
    "summary_of",
]

EXTRACT = "extract"
"""What stands for a normaliser where a text answer is a summary of its input."""

_SUMMARY = "summary"
_STEM = 6
_LEAST_LETTERS = 5
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_WORD = re.compile(r"[^\W\d_]+")
_NAME = re.compile(r"(?<=[\w,;:)] )[^\W\d_a-z][^\W\d_]+")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}\b)")


class Limits(msgspec.Struct, frozen=True):
    """What a task's summaries keep to: they are at most `longest` characters long."""

    longest: int


def style_of_summaries(limits: Limits) -> dict[str, Any]:
    """Return the style of an anatomy whose text answers are summaries of the input."""
    return {_SUMMARY: msgspec.to_builtins(limits)}


def summary_of(anatomy: Anatomy) -> Limits | None:
    """Return the limits of a task whose answers are summaries; None for all other tasks."""
    found: Mapping[str, Any] | None = anatomy.style.get(_SUMMARY)
    return msgspec.convert(found, Limits) if found else None


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(_GROUPED.sub("", text)))


def claims(text: str) -> set[str]:
    """Return the numbers and names of a text: what must not be invented.

    A name is a capitalised word that begins no sentence; thousands separators don't count.
    """
    return _numbers(text) | {found.lower()[:_STEM] for found in _NAME.findall(text)}


def marks(text: str) -> set[str]:
    """Return what a text is told by: its numbers, its names, and its words of five letters or more.

    Words are in lower case and cut to six letters, so that most endings fall away.
    """
    long = {w.lower()[:_STEM] for w in _WORD.findall(text) if len(w) >= _LEAST_LETTERS}
    return claims(text) | long


def _everything(text: str) -> set[str]:
    return _numbers(text) | {word.lower()[:_STEM] for word in _WORD.findall(text)}


def summary_loss(said: str, reference: str, source: str, limits: Limits) -> float:
    """Return the loss of the summary `said` of `source`: 0 is as good as the reference, 1 useless.

    The largest of three shares: of its numbers and names those that the source does not have; of
    what the reference took from the source what is missing; by how much of `limits.longest` it is
    longer. Where the reference took nothing from the source, anything else than the reference
    loses 1.
    """
    if said == reference:
        return 0.0
    if not said.strip():
        return 1.0
    given = _everything(source)
    stated, needed = claims(said), marks(reference) & given
    invented = len(stated - given) / len(stated) if stated else 0.0
    missed = len(needed - _everything(said)) / len(needed) if needed else 1.0
    overlong = (len(said) - limits.longest) / limits.longest
    return max(invented, missed, min(max(overlong, 0.0), 1.0))
