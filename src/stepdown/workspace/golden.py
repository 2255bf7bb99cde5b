"""Golden outputs: what a student said when it was published, so that another machine can compare.

Other processors and libraries round otherwise, some widely (int8 sums may overflow on old ones). A
certificate is about the numbers that were certified, so a student that says others is refused.
"""

from collections.abc import Iterator

import msgspec

from stepdown.core.fingerprint import fingerprint
from stepdown.core.ports import Student
from stepdown.core.tasks import Segment

__all__ = ["GOLDEN_VERSION", "Golden", "deviation", "golden_outputs"]

GOLDEN_VERSION = 2
"""Of the texts and of what is noted of each; those of another version can't be compared."""

_TEXTS = (
    "Please book a table for two in Paris on 3 May 2026 at 7 pm; my number is 555-0134.",
    "My card was charged RM 1,234.50 twice and nobody answers. How do I get my money back?",
    "order 4711: 2 x blue shirt (M), ship to Anna Svensson, Storgatan 5, Stockholm",
)
"""No text of anybody's log: a manifest is copied to wherever a student goes."""
_MOST = 1e-3
_ELSEWHERE = frozenset(("backed", "chain", "generative", "needle"))
"""Families whose numbers are made by an engine that may be another one each time, or a server; and
those that only join students, which are compared themselves."""


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a student said to one text: its record's hash ("": it abstained), and how sure it was,
    of the whole and of each field."""

    answer: str
    confidence: float
    fields: dict[str, float] = {}


def golden_outputs(family: str, student: Student) -> tuple[Golden, ...]:
    """Return what a student of some family says to a few texts; nothing where that may change."""
    return () if family in _ELSEWHERE else _said(student)


def deviation(student: Student, golden: tuple[Golden, ...]) -> str:
    """Say how a student's outputs here differ from those it was published with, or ""."""
    if not golden:
        return ""
    for number, (then, now) in enumerate(zip(golden, _said(student), strict=False), 1):
        if found := ", ".join(_differences(then, now)):
            return (
                "its outputs on this machine are not those it was published with (golden text "
                f"{number}: {found})"
            )
    return ""


def _differences(then: Golden, now: Golden) -> Iterator[str]:
    if then.answer != now.answer:
        yield "another answer"
    if then.fields.keys() != now.fields.keys():
        yield "other fields"
    both = {"confidence": (then.confidence, now.confidence)}
    both |= {
        f"confidence in {path or 'the answer'}": (sure, now.fields[path])
        for path, sure in then.fields.items()
        if path in now.fields
    }
    for name, (was, is_now) in both.items():
        # Also of what is no number.
        if not abs(was - is_now) <= _MOST:
            yield f"{name} {is_now:.6f}, not {was:.6f}"
            return


def _said(student: Student) -> tuple[Golden, ...]:
    found = (student.predict((Segment("user", text),)) for text in _TEXTS)
    return tuple(
        Golden(
            # Of the record: a tool call's id is drawn anew each time.
            fingerprint(one.record) if one.answer is not None else "",
            round(float(one.confidence), 6),
            {name: round(float(sure), 6) for name, sure in one.fields.items()},
        )
        for one in found
    )
