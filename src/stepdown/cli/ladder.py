"""The ladder wired together: climb, chain, publish, weigh on the calibration rows, and choose.

Every rung and chain is weighed on the same calibration rows, so they share the certificate's
probability of being wrong; the manifest of each says among how many, and `prove` keeps to it.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stepdown import plugins
from stepdown.cli import steps
from stepdown.cli.options import Session
from stepdown.core import display
from stepdown.core.contracts import contract_of
from stepdown.core.datasets import Dataset, Example
from stepdown.core.ports import Family, Progress, Student, silent
from stepdown.core.tasks import Task, calls_month, teacher_usd
from stepdown.prove import Weighed, weigh
from stepdown.students.chain import CHAIN, Chain, rehearsed_of
from stepdown.train import Candidate, Estimate, Prices, Rung, choose, climb, estimate, expected
from stepdown.workspace.artefacts import Manifest, Saver, publish_student

__all__ = ["LADDER_COLUMNS", "Step", "Trained", "ladder_rows", "train_task"]

LADDER_COLUMNS = ["rung", ">size", ">agrees", ">answers", ">p50", ">$ per 1,000", "student"]

_WORTH_USD_MONTH = 0.1
_WORTH_COVERAGE = 0.99


class Step(msgspec.Struct, frozen=True):
    """One line of the climb's table: a rung, or a chain of rungs, and why it was taken or not.

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


class Trained(msgspec.Struct, frozen=True):
    """The student that was taken, with its manifest and the whole climb."""

    folder: Path
    manifest: Manifest
    student: Student
    steps: tuple[Step, ...]


class _Made(msgspec.Struct, frozen=True):
    """A trained and published candidate."""

    name: str
    manifest: Manifest
    folder: Path
    rung: Rung | None = None


def train_task(
    session: Session, task: Task, dataset: Dataset, family: str | None, progress: Progress = silent
) -> Trained:
    """Climb the ladder on the dataset, or train the one family, and take a student.

    Where no candidate can be certified, the one that agrees most is kept, for its proof to say why.

    Raises:
        Refusal: no family could be trained.
    """
    prices = _prices(session, task)
    budget = session.terms(task.name).error_budget
    examples = dataset.part("train")
    rungs = climb(
        task,
        dataset,
        _families(session, task, family),
        lambda student: estimate(rehearsed_of(student), examples, budget),
        _against(task, prices, named=bool(family)),
        progress,
    )
    students = [rung.student for rung in rungs if rung.student is not None]
    chains = _chains(students, examples, budget)
    made = _publish(session, task, dataset, rungs, chains)
    return _take(session, task, dataset, rungs, made, progress)


def _families(session: Session, task: Task, name: str | None) -> list[Family]:
    scratch = session.workspace.folder(task.id) / "scratch"
    if name:
        return [plugins.family(name, scratch)]
    return [plugins.family(one.name, scratch) for one in plugins.ladder()]


def _prices(session: Session, task: Task) -> Prices:
    return Prices(
        teacher_usd=teacher_usd(task),
        teacher_ms=task.latency_p50_ms,
        cpu_usd_hour=session.config.defaults.cpu_usd_hour,
        audit_share=session.terms(task.name).audit_share,
    )


def _against(
    task: Task, prices: Prices, *, named: bool
) -> Callable[[Family, Estimate | None], str]:
    """Return the climb's reasons against a family; one that the user named has none."""

    def reason(family: Any, last: Estimate | None) -> str:
        if named:
            return ""
        stop = _enough(last, prices, calls_month(task)) if last else ""
        return stop or (family.unsuited(task) if hasattr(family, "unsuited") else "")

    return reason


def _enough(found: Estimate, prices: Prices, month: float | None) -> str:
    """Return why a larger rung can't repay itself, whatever it answers of what is left."""
    left = 1.0 - found.coverage
    if prices.teacher_usd is not None and month is not None:
        usd = prices.teacher_usd * left * month / 1000.0
        if usd < _WORTH_USD_MONTH:
            return f"not tried: what is left to save is {display.money(usd)} a month"
    if found.coverage >= _WORTH_COVERAGE:
        return f"not tried: only {display.share(left)} of the calls are left to answer"
    return ""


def _chains(students: Sequence[Any], examples: Sequence[Example], budget: float) -> list[Chain]:
    """Return the chain of all rungs, and of several the one of the first and the last.

    Every student is a link of it, smallest first; a family that did not rehearse can't be joined.
    """
    links = [student for student in students if rehearsed_of(student)]
    if len(links) < 2:
        return []
    ends = Chain.fit(links[0], links[-1], examples, budget)
    chains = [ends] if ends else []
    if len(links) > 2:
        whole: Any = links[-1]
        for link in reversed(links[:-1]):
            whole = Chain.fit(link, whole, examples, budget) or whole
        chains.append(whole)
    return chains


def _publish(
    session: Session,
    task: Task,
    dataset: Dataset,
    rungs: Sequence[Rung],
    chains: Sequence[Chain],
) -> list[_Made]:
    trained = [rung for rung in rungs if rung.student is not None]
    draft = {
        "task": task.id,
        "dataset": dataset.id,
        "contract": msgspec.to_builtins(contract_of(task, dataset.id)),
        "made_at": steps.now(),
        "candidates": len(trained) + len(chains),
    }
    made: list[_Made] = []
    parent = session.workspace.students(task.id)

    def publish(name: str, family: Saver, student: Any, training: dict[str, Any]) -> _Made:
        folder, manifest = publish_student(parent, family, student, draft | {"training": training})
        student.id = manifest.id
        return _Made(name, manifest, folder)

    for rung in trained:
        kept = publish(rung.family, plugins.family(rung.family), rung.student, _training(rung))
        made.append(msgspec.structs.replace(kept, rung=rung))
    for chain in chains:
        if isinstance(chain.second, Chain) and not chain.second.id:
            publish("", CHAIN, chain.second, {})
        made.append(publish(_chain_name(chain), CHAIN, chain, {"rows": len(chain.rehearsed)}))
    return made


def _training(rung: Rung) -> dict[str, Any]:
    return {
        "rows": rung.rows,
        "seconds": round(rung.seconds, 2),
        "peak_megabytes": round(rung.peak_megabytes),
    }


def _chain_name(student: Any) -> str:
    if isinstance(student, Chain):
        return f"{_chain_name(student.first)} → {_chain_name(student.second)}"
    return student.family


def _take(
    session: Session,
    task: Task,
    dataset: Dataset,
    rungs: Sequence[Rung],
    made: Sequence[_Made],
    progress: Progress,
) -> Trained:
    terms = steps.proof_terms(session, task, len(made), steps.attempt(session, task, ""))
    calibration = dataset.part("calibration")
    sizes = {one.manifest.id: one.manifest.size_bytes for one in made}
    opened = [steps.open_student(session.workspace, task, one.manifest.id) for one in made]
    weighed = [weigh(student, calibration, terms, progress) for student in opened]
    candidates = [
        _candidate(one, found, student, sizes)
        for one, found, student in zip(made, weighed, opened, strict=True)
    ]
    prices = _prices(session, task)
    at, reasons = choose(candidates, prices)
    if at is None:
        at = max(range(len(made)), key=lambda one: (weighed[one].agreement, -one))
        reasons[at] = f"kept, as it agrees most: {reasons[at]}"
    # The newest folder is the task's current student.
    os.utime(made[at].folder)
    table = [
        _step(one, candidate, reason, prices, taken=index == at)
        for index, (one, candidate, reason) in enumerate(
            zip(made, candidates, reasons, strict=True)
        )
    ]
    skipped = [
        Step(rung.family, rung.skipped, parameters=rung.parameters)
        for rung in rungs
        if rung.student is None
    ]
    return Trained(made[at].folder, made[at].manifest, opened[at], (*table, *skipped))


def _candidate(one: _Made, found: Weighed, student: Student, sizes: dict[str, int]) -> Candidate:
    size = one.manifest.size_bytes
    if isinstance(student, Chain):
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


def _links(chain: Chain) -> list[str]:
    return [
        chain.first.id,
        *(_links(chain.second) if isinstance(chain.second, Chain) else [chain.second.id]),
    ]


def _step(one: _Made, candidate: Candidate, reason: str, prices: Prices, *, taken: bool) -> Step:
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


def ladder_rows(climbed: Sequence[Step]) -> list[list[str]]:
    """Return the rows of the climb's table, as `LADDER_COLUMNS` names them."""
    return [
        [
            f"{'▸ ' if step.taken else ''}{step.rung}",
            display.bytes_size(step.size_bytes) if step.size_bytes else "",
            display.share(step.agreement) if step.agreement is not None else "",
            display.share(step.coverage) if step.coverage is not None else "",
            display.milliseconds(step.p50_ms) if step.p50_ms is not None else "",
            display.money(step.usd_per_1000) if step.student else "",
            step.student or "skipped",
        ]
        for step in climbed
    ]
