"""The certificate of one student on one task, and everything a reader needs to judge it.

The guarantee is `statistics.md`'s: with probability at least `confidence` over the draw of the
calibration rows, the risk that the contract names is at most `budget`. docs/guarantee.md says what
that does not cover.
"""

from typing import Any, Literal

import msgspec

from stepdown.core import display
from stepdown.core.datasets import SplitReport

__all__ = [
    "Bin",
    "Ceiling",
    "Certificate",
    "Confusion",
    "ContractKind",
    "CostRow",
    "CurvePoint",
    "Economics",
    "FieldRow",
    "GoldResult",
    "Interval",
    "Latency",
    "Proof",
    "SliceRow",
    "TestResult",
    "shared_confidence",
]

ContractKind = Literal["joint", "selective"]


class Interval(msgspec.Struct, frozen=True):
    """A share with its exact (Clopper-Pearson) 95 % interval; `count` of `total`.

    Of graded answers it is their mean loss with its Hoeffding-Bentkus interval.
    """

    count: int
    total: int
    estimate: float
    low: float
    high: float


class Certificate(msgspec.Struct, frozen=True):
    """What the calibration rows allow.

    `threshold` is None when nothing passed; then `why` says what was tried and `remedy` what would
    change it. `bound` is the upper confidence bound of the risk at the threshold, `errors` of
    `accepted` of `rows` calibration rows were wrong there. `rows_needed` is the least number of
    calibration rows with which the budget could be certified at all. `delta` is the share of
    1 - `confidence` that this certificate had: what is left after `candidates` students were
    weighed on the same rows, in the `attempt`-th training of the task (0: not counted).
    Inputs more novel than `novelty_cutoff` are not answered (None: there is no such gate): that is
    the share `novelty_refused` of the calibration rows, and costs `novelty_cost` of the coverage at
    the threshold. Under the joint contract `accepted`, `errors` and `bound` are those without the
    gate, which can only lower the risk. Where answers are `graded` (summaries), the risk is the
    mean loss of all calls, `risk` what was measured at the threshold, and `errors` counts the
    answers that lose more than a little.
    """

    contract: ContractKind
    budget: float
    confidence: float
    rows: int
    threshold: float | None
    accepted: int = 0
    errors: int = 0
    bound: float = 1.0
    rows_needed: int = 0
    why: str = ""
    remedy: str = ""
    delta: float = 0.0
    candidates: int = 1
    attempt: int = 0
    novelty_cutoff: float | None = None
    novelty_refused: float = 0.0
    novelty_cost: float = 0.0
    graded: bool = False
    risk: float = 0.0


def shared_confidence(certificate: Certificate) -> str:
    """Say at which level a certificate was made, and who shares its confidence; "" for nobody."""
    if certificate.delta <= 0 or (certificate.candidates == 1 and not certificate.attempt):
        return ""
    among = (
        f"{certificate.candidates} candidates weighed on these rows"
        if certificate.candidates > 1
        else "one candidate"
    )
    attempt = f", training {certificate.attempt} of this task" if certificate.attempt else ""
    level = display.share(1 - certificate.delta, 2)
    return f"certified at {level}, as the confidence is shared ({among}{attempt})"


class CurvePoint(msgspec.Struct, frozen=True):
    """One point of the risk-coverage curve on the test part."""

    threshold: float
    coverage: float
    joint_risk: float
    selective_risk: float


class Bin(msgspec.Struct, frozen=True):
    """One bin of the reliability diagram on the test part: mean confidence against agreement."""

    low: float
    high: float
    count: int
    confidence: float
    agreement: float


class FieldRow(msgspec.Struct, frozen=True):
    """One field on the test part: agreement over all rows and over the answered ones."""

    path: str
    kind: str
    rows: int
    agreement: float
    answered_agreement: float | None


class SliceRow(msgspec.Struct, frozen=True):
    """One slice of the test part (a label, a tool), worst answered first."""

    slice: str
    rows: int
    agreement: float
    answered: int
    answered_wrong: int


class Confusion(msgspec.Struct, frozen=True):
    """The teacher said `teacher`, the student `student`, `count` times; `answered` of them live."""

    field: str
    teacher: str
    student: str
    count: int
    answered: int
    example: str = ""


class TestResult(msgspec.Struct, frozen=True):
    """The test part, which chose nothing.

    `agreement` is over all rows as if the student answered everything; `coverage` the share that
    it answers above the threshold; `joint_risk` the share of all rows answered differently from the
    teacher; `selective_risk` the same among the answered ones.
    """

    # Not a pytest class, whatever its name begins with.
    __test__ = False

    rows: int
    agreement: Interval
    coverage: Interval
    joint_risk: Interval
    selective_risk: Interval
    curve: tuple[CurvePoint, ...] = ()
    bins: tuple[Bin, ...] = ()
    calibration_error: float = 0.0
    fields: tuple[FieldRow, ...] = ()
    slices: tuple[SliceRow, ...] = ()
    confusions: tuple[Confusion, ...] = ()


class Ceiling(msgspec.Struct, frozen=True):
    """How often a teacher, asked the same again, answered alike.

    `agreement` is over `items` asked `asked` times each (0: as often as the log did), of each item
    the share of the pairs of its answers that agree. `fields` are those of the items in which the
    field has a value. `teacher` is "" where several models answered.
    """

    agreement: Interval
    items: int
    asked: int = 0
    teacher: str = ""
    fields: tuple[tuple[str, Interval], ...] = ()
    made_at: str = ""


class GoldResult(msgspec.Struct, frozen=True):
    """The test rows that people judged, a random sample of them: who is right by their word.

    `teacher` and `student` are right on all `rows`, the student as if it answered all of them.
    `teacher_answered` and `student_answered` are the same among those that the student answers;
    `served` is right where the student answers what it is sure of and the teacher the rest.
    `student_alone` rows had the student right and the teacher wrong, `teacher_alone` the reverse.
    `skipped` rows were shown and not judged.
    """

    rows: int
    teacher: Interval
    student: Interval
    teacher_answered: Interval
    student_answered: Interval
    served: Interval
    student_alone: int = 0
    teacher_alone: int = 0
    both_wrong: int = 0
    skipped: int = 0


class CostRow(msgspec.Struct, frozen=True):
    """US dollars per 1,000 calls of one way to answer; None is unknown. `quality` is agreement."""

    name: str
    usd_per_1000: float | None
    quality: float | None
    note: str = ""


class Economics(msgspec.Struct, frozen=True):
    """Money. Every None is unknown, for the reason in `note`.

    `calls_month` extrapolates the log's volume. `audit_usd_month` is the random audit of answered
    calls, `labelling_usd` what labels cost once, `break_even_days` labelling over daily savings
    (None with `note` when never or unknown).
    """

    rows: tuple[CostRow, ...] = ()
    calls_month: float | None = None
    saving_usd_month: float | None = None
    audit_usd_month: float | None = None
    labelling_usd: float | None = 0.0
    break_even_days: float | None = None
    note: str = ""


class Latency(msgspec.Struct, frozen=True):
    """Single-item latency in milliseconds, measured in process on test inputs, on `hardware`."""

    p50_ms: float
    p99_ms: float
    count: int
    hardware: str
    teacher_p50_ms: float | None = None


class Proof(msgspec.Struct, frozen=True):
    """The whole certificate; `id` is the fingerprint of all but the date, the timing and what
    follows from it, `seal` that of everything ("" before there were seals).

    `opened` is how often the dataset's test part has been opened, for this proof too (0: nobody
    counted).
    """

    id: str
    task: str
    task_name: str
    student: str
    family: str
    dataset: str
    passed: bool
    summary: str
    reference: str
    certificate: Certificate
    test: TestResult
    split: SplitReport
    economics: Economics
    latency: Latency
    made_at: str
    self_agreement: float | None = None
    student_bytes: int = 0
    not_covered: tuple[str, ...] = ()
    extra: dict[str, Any] = {}
    behind: str = ""
    ceiling: Ceiling | None = None
    gold: GoldResult | None = None
    seal: str = ""
    opened: int = 0

    @property
    def answerer(self) -> str:
        """Who answers: the small model, or that and the hosted model behind it."""
        return f"small model with {self.behind} behind it" if self.behind else "small model"
