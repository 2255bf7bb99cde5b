"""Paid labelling: what is asked of a teacher, what it said, and the steps that a ledger keeps.

Money is in whole attodollars. Times are in seconds since the epoch.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from stepdown.core.calls import Answer, Request, Usage

__all__ = [
    "MADE_OF",
    "SECOND",
    "TOLD",
    "Batched",
    "Failed",
    "Kept",
    "Label",
    "LabelRun",
    "Outcome",
    "Parsed",
    "Pick",
    "Reserved",
    "Sent",
    "Spend",
    "Step",
    "Stored",
    "Why",
]

Why = Literal["random", "uncertain", "novel", "rare", "again", "synthetic"]
"""Why an item was asked; "again": repeats, second teachers and second questions.

Their `repeat` tells them apart: counted from 0, and SECOND for a second question.
"""

SECOND = -1
"""The `repeat` of a question that was asked in our own words (`wire.second_template`)."""

MADE_OF = "stepdown_items"
"""In the metadata of a request that no log has: the items whose inputs stand in it."""

Outcome = Literal[
    "answered", "refused", "other_label", "off_schema", "ungrounded", "unreadable", "disputed"
]
"""What an answer is worth: only "answered" teaches."""

TOLD: Mapping[Outcome, str] = {
    "answered": "a label",
    "refused": "the teacher declined",
    "other_label": "a label that the task does not have",
    "off_schema": "not of the task's schema",
    "ungrounded": "values that stand nowhere in the input",
    "unreadable": "cut off, or of another shape",
    "disputed": "labels that contradict each other",
}
"""Each outcome in words."""


class Pick(msgspec.Struct, frozen=True):
    """An item to ask a teacher for: a logged call's id, or "synthetic-<hash>", and its request.

    `probability` is how likely the item was to be drawn for the random part, None for one that was
    chosen. `source` is whose input it is, hashed; `repeat` tells several questions of one item
    apart.
    """

    item: str
    request: Request
    why: Why
    probability: float | None = None
    source: str = ""
    repeat: int = 0


class Label(msgspec.Struct, frozen=True):
    """A teacher's paid answer to one item. `key` names the question: teacher, body, repeat.

    `usage` and `cost` are None where the teacher, or the price list, does not say.
    """

    key: str
    task: str
    item: str
    teacher: str
    why: Why
    outcome: Outcome
    answer: Answer
    probability: float | None = None
    source: str = ""
    repeat: int = 0
    usage: Usage | None = None
    cost: int | None = None
    time: float = 0.0


class LabelRun(msgspec.Struct, frozen=True):
    """One labelling of a task by a teacher; what it was asked under is in `terms`, by name."""

    id: str
    task: str
    teacher: str
    terms: Mapping[str, str] = {}


class Reserved(msgspec.Struct, frozen=True):
    """Step 1: an item is going to be asked. `request` is kept only where no log has it."""

    key: str
    item: str
    why: Why
    probability: float | None = None
    source: str = ""
    repeat: int = 0
    request: Request | None = None


class Sent(msgspec.Struct, frozen=True):
    """Step 2, on disk before a byte goes out; `bound` is the most that it can cost, `batch` the
    name of the batch that it goes out in."""

    key: str
    number: int
    time: float
    bound: int | None = None
    batch: str = ""


class Batched(msgspec.Struct, frozen=True):
    """A batch of questions: on disk with all its `Sent` before it is created, then with the `id`
    that the API gave it, and when all that it brought is on disk (`ended`)."""

    name: str
    time: float
    id: str = ""
    ended: bool = False


class Stored(msgspec.Struct, frozen=True):
    """Step 3, on disk before it counts as an answer: the raw response."""

    key: str
    number: int
    raw: bytes
    time: float
    usage: Usage | None = None
    cost: int | None = None


class Failed(msgspec.Struct, frozen=True):
    """Instead of step 3: a question that brought no answer, and why.

    `paid` is False where the teacher did not take it, True where what came is of no use and was
    perhaps paid for, None where nobody knows whether it arrived.
    """

    key: str
    number: int
    why: str
    paid: bool | None = None


class Parsed(msgspec.Struct, frozen=True):
    """Step 4: the stored response was read."""

    key: str
    outcome: Outcome
    answer: Answer


Step = Reserved | Batched | Sent | Stored | Failed | Parsed


class Kept(msgspec.Struct, frozen=True):
    """An item of a run as the ledger has it: what was reserved, and what became of it.

    `sends` counts the times that it was sent, `unknown` those whose outcome nobody knows. `raw` is
    the response, until it is taken out for its age, `answer` what was read in it. `batch` is the
    batch under way that it is in: that outcome will be known.
    """

    reserved: Reserved
    sends: int = 0
    unknown: int = 0
    raw: bytes | None = None
    batch: str = ""
    answer: Answer | None = None

    @property
    def answered(self) -> bool:
        """Whether its answer is there, and not to be paid for again."""
        return self.raw is not None or self.answer is not None


class Spend(msgspec.Struct, frozen=True):
    """What was spent: `known` is what answers cost that have a price, `answers` how many came.

    `unpriced` counts answers without a price, `unknown` questions that nobody knows the outcome of,
    each perhaps paid for a second time, and `useless` responses that are no answers. `at_most` adds
    to `known` the most that all these can have cost, None where one of them has no bound; `twice`
    is what the unknown ones have cost if each was billed like the answer that came later.
    """

    known: int = 0
    answers: int = 0
    unpriced: int = 0
    unknown: int = 0
    useless: int = 0
    at_most: int | None = 0
    twice: int = 0
