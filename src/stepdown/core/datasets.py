"""Examples of one task, split so that nothing stands on two sides."""

from typing import Any, Literal
from zlib import crc32

import msgspec

from stepdown.core.tasks import Input

__all__ = ["Dataset", "Example", "Origin", "Quarantined", "Split", "SplitReport"]

Split = Literal["train", "calibration", "test"]

Origin = Literal["log", "random", "chosen", "synthetic"]
"""Why a row has an answer: the log has it, or a teacher was paid for it, the input then drawn at
random, chosen, or made up. Chosen and synthetic rows say nothing of the traffic: they only train.
"""


class Example(msgspec.Struct, frozen=True):
    """One call of a task as a student sees it.

    `record` is the teacher's answer, flattened: field path → JSON value (see `core.records`); a
    path that is absent was absent in the answer. `known` is False where the answer is not of the
    task's shape: a student must abstain there, and any answer of its own counts as wrong. `group`
    is the caller's group or "", `cluster` the near-duplicate cluster, `time` seconds since the
    epoch or None. `soft` is how likely the teacher found each label of a text answer, where the log
    has log-probabilities; {} is unknown. `probability` is how likely a random one was to be drawn.
    `source` is the mark of whose input it is (`core.sources`), "" where nobody knows.
    """

    id: str
    input: Input
    record: dict[str, Any]
    known: bool = True
    split: Split = "train"
    cluster: str = ""
    group: str = ""
    time: float | None = None
    soft: dict[str, float] = {}
    origin: Origin = "log"
    probability: float | None = None
    source: str = ""

    @property
    def kin(self) -> int:
        """A number that rows of one group, or else of one near-duplicate cluster, have in common.

        Rows are held out by it: one that is like a training row says nothing of new ones.
        """
        return crc32((self.group or self.cluster or self.id).encode("utf-8", "replace"))


class SplitReport(msgspec.Struct, frozen=True):
    """How the split was made and what was checked; all of it is printed in the proof.

    `shared_inputs`, `shared_clusters`, `shared_groups` count what stands on both sides of any two
    splits: zero each, or the split is refused. `by_time` says whether test is the latest part.
    `dropped_duplicates` rows repeat another row that is held out, or are like one on another side;
    `dropped_late` rows belong to a group or cluster that began before the test part and went on
    in it. `similarity` is the Jaccard similarity (of character 4-grams) from which two inputs count
    as near-duplicates; `largest_group` the share of the rows that the caller's largest group holds.
    `sources` is how many sources the training rows come from, as far as they are told apart;
    `dropped_capped` training rows were left out since their source had too many, and
    `dropped_quarantined` since they may be poisoned. `notes` are sentences on how the split was
    made.
    """

    train: int
    calibration: int
    test: int
    clusters: int = 0
    groups: int = 0
    by_time: bool = False
    dropped_duplicates: int = 0
    shared_inputs: int = 0
    shared_clusters: int = 0
    shared_groups: int = 0
    dropped_late: int = 0
    similarity: float = 1.0
    largest_group: float = 0.0
    sources: int = 0
    dropped_capped: int = 0
    dropped_quarantined: int = 0
    notes: tuple[str, ...] = ()


class Quarantined(msgspec.Struct, frozen=True):
    """A training row that was left out: `pattern` is what it shares with others of few sources, all
    with one value in the field at `path` that the rest of their words speaks against."""

    row: Example
    path: str
    pattern: str

    @property
    def value(self) -> Any:
        """What it has in the field."""
        return self.row.record.get(self.path)


class Dataset(msgspec.Struct, frozen=True):
    """Examples of one task, named by its fingerprint; `merged` maps a label's odd spellings."""

    id: str
    task: str
    examples: tuple[Example, ...]
    report: SplitReport
    merged: dict[str, str] = {}
    quarantined: tuple[Quarantined, ...] = ()

    def part(self, split: Split) -> list[Example]:
        """Return the examples of one split, in order."""
        return [example for example in self.examples if example.split == split]
