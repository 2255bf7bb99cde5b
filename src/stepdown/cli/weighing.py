"""Weighing on the calibration rows: what the climb made, a hosted model beside it; the table."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from stepdown.cli import steps
from stepdown.cli.hosted import Hosted
from stepdown.cli.options import Session
from stepdown.core import display
from stepdown.core.datasets import Example
from stepdown.core.losses import loss_of
from stepdown.core.ports import Progress, Student
from stepdown.core.proofs import CostRow
from stepdown.core.tasks import Task
from stepdown.prove import Weighed, weigh
from stepdown.students.backed import Backed
from stepdown.students.chain import Chain
from stepdown.train import Candidate, Prices, Rung, choose, expected
from stepdown.workspace.artefacts import Manifest

__all__ = [
    "LADDER_COLUMNS",
    "Behind",
    "Made",
    "Other",
    "Scale",
    "Step",
    "behind",
    "ladder_rows",
    "take",
    "weigh_hosted",
]

PRICE_UNKNOWN = "Its price is unknown: set usd_per_1000 under [tiers.mid]."
LADDER_COLUMNS = ["rung", ">size", ">agrees", ">answers", ">p50", ">$ per 1,000", "student"]


class Step(msgspec.Struct, frozen=True):
    """One line of the climb's table: a rung, a chain or a hosted model, and why it fared as it did.

    Shares are of the calibration rows; None is unknown, or was not come to.
    """

    rung: str
    why: str
    taken: bool = False
    student: str = ""
    parameters: int = 0
    size_bytes: int | None = None
    seconds: float | None = None
    peak_megabytes: float | None = None
    agreement: float | None = None
    coverage: float | None = None
    p50_ms: float | None = None
    usd_per_1000: float | None = None


class Made(msgspec.Struct, frozen=True):
    """A trained and published candidate; what is made of others has no rung of its own."""

    name: str
    manifest: Manifest
    folder: Path
    rung: Rung | None = None
    behind: "Behind | None" = None


class Scale(msgspec.Struct, frozen=True):
    """What candidates are weighed on, how they share its confidence, and at which prices.

    `number` says which of the task's tries this is. `shares` has one for each candidate, in the
    order in which they are made, a hosted model last. `redacted` names what was taken out of rows.
    """

    session: Session
    task: Task
    rows: Sequence[Example]
    shares: Sequence[float]
    prices: Prices
    progress: Progress
    redacted: str
    number: int

    def weigh(self, student: Student, at: int) -> Weighed:
        """Weigh the candidate at that place."""
        among = (len(self.shares), self.shares[at])
        terms = steps.proof_terms(self.session, self.task, self.number, among)
        loss = loss_of(self.task.anatomy)
        return weigh(student, self.rows, terms, self.progress, loss)


class Other(msgspec.Struct, frozen=True):
    """A hosted model as weighed: a candidate for the choice, a row for the proof's prices."""

    candidate: Candidate
    row: CostRow


def weigh_hosted(scale: Scale, hosted: Hosted) -> Other:
    """Weigh a hosted model by the answers it has given."""
    found = scale.weigh(hosted.student, -1)
    note = "" if found.certificate.threshold is not None else found.certificate.why
    if not note and hosted.usd_per_1000 is None:
        note = PRICE_UNKNOWN
    asked = f"asked {hosted.asked:,} calibration rows, {hosted.failed:,} without an answer"
    return Other(
        Candidate(
            hosted.model.name,
            0,
            0,
            found.agreement,
            found.coverage,
            hosted.p50_ms,
            note,
            hosted.usd_per_1000,
            hosted.p50_ms,
        ),
        CostRow(hosted.model.name, hosted.usd_per_1000, found.agreement, asked),
    )


def take(
    scale: Scale, made: Sequence[Made], other: Other | None, hosted: Hosted | None = None
) -> tuple[int, list[Step]]:
    """Return which of the made candidates to take, and the table's line for each.

    `hosted` stands behind the made ones that have a model behind them. Where none can be certified,
    the one that agrees most is kept, for its proof to say why.
    """
    workspace = scale.session.workspace
    opened = [steps.open_student(workspace, scale.task, one.manifest.id) for one in made]
    for student in opened:
        if isinstance(student, Backed) and hosted is not None:
            student.hosted = hosted.student
    weighed = [scale.weigh(student, place) for place, student in enumerate(opened)]
    sizes = {one.manifest.id: one.manifest.size_bytes for one in made}
    candidates = [
        _with_behind(_candidate(one, found, student, sizes), one.behind)
        for one, found, student in zip(made, weighed, opened, strict=True)
    ]
    at, reasons = choose(candidates, scale.prices)
    if at is None:
        at = max(range(len(made)), key=lambda one: (weighed[one].agreement, -one))
        reasons[at] = f"kept, as it agrees most: {reasons[at]}"
    table = [
        _step(one, candidate, reason, scale.prices, taken=index == at)
        for index, (one, candidate, reason) in enumerate(
            zip(made, candidates, reasons, strict=True)
        )
    ]
    if other is not None:
        table.append(_other_step(other, candidates, scale.prices))
    return at, table


def _candidate(one: Made, found: Weighed, student: Student, sizes: dict[str, int]) -> Candidate:
    size = one.manifest.size_bytes
    if isinstance(student, Chain | Backed):
        size += sum(sizes.get(link, 0) for link in _links(student))
    return Candidate(
        one.name,
        one.rung.parameters if one.rung else 0,
        size,
        found.agreement,
        found.coverage,
        found.p50_ms,
        note="" if found.certificate.threshold is not None else found.certificate.why,
    )


class Behind(msgspec.Struct, frozen=True):
    """What a hosted model takes behind a student: it is asked the `share` of the calls.

    `usd_per_1000` (None: unknown) and the median `p50_ms` are of its own calls.
    """

    name: str
    share: float
    usd_per_1000: float | None
    p50_ms: float

    @property
    def row(self) -> CostRow:
        """What it costs, spread over all calls."""
        price = None if self.usd_per_1000 is None else self.share * self.usd_per_1000
        asked = f"asked {display.share(self.share)} of the calls"
        return CostRow(self.name, price, None, asked)


def behind(student: Backed, rows: Sequence[Example], hosted: Hosted) -> Behind:
    """Return what the model behind the student takes, as counted on the calibration rows."""
    left = sum(student.leaves(student.first.predict(row.input)) for row in rows)
    share = left / max(len(rows), 1)
    return Behind(hosted.model.name, share, hosted.usd_per_1000, hosted.p50_ms)


def _with_behind(candidate: Candidate, found: Behind | None) -> Candidate:
    """Return the candidate with the price and the time of the model behind it, if there is one."""
    if found is None:
        return candidate
    price, waits_ms = found.row.usd_per_1000, found.share * found.p50_ms
    return msgspec.structs.replace(
        candidate,
        p50_ms=candidate.p50_ms + waits_ms,
        waits_ms=waits_ms,
        hosted_usd_per_1000=price,
        note=candidate.note or (PRICE_UNKNOWN if price is None else ""),
    )


def _links(student: Student) -> list[str]:
    """Return the ids of the students that a joined one is made of; a plain one's own."""
    if isinstance(student, Backed):
        return _links(student.first)
    if isinstance(student, Chain):
        return [*_links(student.first), *_links(student.second)]
    return [student.id]


def _step(one: Made, candidate: Candidate, reason: str, prices: Prices, *, taken: bool) -> Step:
    rung = one.rung
    return Step(
        one.name,
        reason,
        taken,
        one.manifest.id,
        candidate.parameters,
        candidate.size_bytes,
        rung.seconds if rung else None,
        rung.peak_megabytes if rung else None,
        candidate.agreement,
        candidate.coverage,
        candidate.p50_ms,
        expected(candidate, prices)[0],
    )


def _other_step(other: Other, candidates: Sequence[Candidate], prices: Prices) -> Step:
    everything = [*candidates, other.candidate]
    best, reasons = choose(everything, prices)
    why = reasons[-1]
    if best == len(candidates):
        why = "the cheapest way of all: don't train, switch the model"
    candidate = other.candidate
    return Step(
        f"{candidate.name} (hosted)",
        why,
        agreement=candidate.agreement,
        coverage=candidate.coverage,
        p50_ms=candidate.p50_ms,
        usd_per_1000=expected(candidate, prices)[0],
    )


def ladder_rows(climbed: Sequence[Step]) -> list[list[str]]:
    """Return the rows of the climb's table, as `LADDER_COLUMNS` names them."""
    return [
        [
            f"{'▸ ' if step.taken else ''}{step.rung}",
            display.bytes_size(step.size_bytes) if step.size_bytes else "",
            display.share(step.agreement) if step.agreement is not None else "",
            display.share(step.coverage) if step.coverage is not None else "",
            display.milliseconds(step.p50_ms) if step.p50_ms is not None else "",
            display.money(step.usd_per_1000) if step.agreement is not None else "",
            step.student or ("" if step.agreement is not None else "skipped"),
        ]
        for step in climbed
    ]
