"""Human gold: what a person said of a teacher's answer, and what a person is asked."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

__all__ = ["Asked", "Gold", "Question", "Said", "latest"]

Asked = Literal["doubt", "random"]
"""Why a row was shown: a student doubts its answer, or it was drawn from the held-out rows."""

Said = Literal["accepted", "corrected", "none", "skipped"]
"""none: no answer is right there. skipped: not judged; the row is shown again."""


class Gold(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of `gold.jsonl`: a person's word on one item, which stands above any teacher's.

    `record` is the right answer, {} where there is none; `said` the teacher's, as it was shown.
    `probability` is how likely the item was to be drawn, None for a doubted one. `time` is in
    seconds since the epoch.
    """

    item: str
    verdict: Said
    record: dict[str, Any] = {}
    said: dict[str, Any] = {}
    why: Asked = "doubt"
    probability: float | None = None
    who: str = ""
    time: float = 0.0

    @property
    def known(self) -> bool:
        """Say whether there is a right answer."""
        return self.verdict in ("accepted", "corrected")


class Question(msgspec.Struct, frozen=True):
    """A row to be judged. `said` is the teacher's answer, {} where it is not of the task's shape.

    `guessed` is what the students say, and how surely: only of doubted rows, since a held-out row
    has to be judged without their word.
    """

    item: str
    input: str
    said: dict[str, Any] = {}
    guessed: dict[str, Any] = {}
    confidence: float | None = None
    why: Asked = "doubt"
    probability: float | None = None


def latest(lines: Iterable[Gold]) -> dict[str, Gold]:
    """Return the last word on each item; a skip takes nothing back that was said before."""
    found: dict[str, Gold] = {}
    for line in lines:
        if line.verdict != "skipped" or line.item not in found:
            found[line.item] = line
    return found
