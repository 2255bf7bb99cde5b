"""The ladder wired together: climb, chain, publish, weigh, and take one student.

Every rung and chain is weighed on the same calibration rows, so they share the certificate's
probability of being wrong; the manifest of each says among how many, and `prove` keeps to it.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from stepdown import plugins
from stepdown.cli import steps
from stepdown.cli.engine_jobs import rungs_beside
from stepdown.cli.hosted import Hosted
from stepdown.cli.options import Session
from stepdown.cli.weighing import Behind, Made, Other, Scale, Step, behind, take, weigh_hosted
from stepdown.core import display
from stepdown.core.contracts import contract_of
from stepdown.core.datasets import Dataset, Example
from stepdown.core.losses import Loss, loss_of
from stepdown.core.ports import Family, Progress, Rehearsed, silent
from stepdown.core.redaction import redacted_by
from stepdown.core.tasks import Task, calls_month, teacher_usd
from stepdown.students.backed import BACKED, Backed
from stepdown.students.chain import CHAIN, Chain, join, rehearsed_of
from stepdown.train import (
    Doubt,
    Estimate,
    Prices,
    Rung,
    climb,
    confidence_shares,
    doubts,
    estimate,
    labels_a_class,
)
from stepdown.workspace.artefacts import Manifest, Saver, publish_student
from stepdown.workspace.files import publish_file
from stepdown.workspace.golden import GOLDEN_VERSION, golden_outputs
from stepdown.workspace.tries import next_try, try_of

__all__ = ["Trained", "train_task"]

_WORTH_USD_MONTH = 0.1
_WORTH_COVERAGE = 0.99
_HOPELESS = 0.1
_FEW = 20
"""Answers a label: below this n-grams have seen too little, and what an encoder knows decides."""
_FOR_FEW = "encoder"
_SHARE = 0.5
"""The part of the budget that a student with a hosted model behind it may use up."""
_SURE = 0.9
"""Below it, a student's answer is wrong more often than that of most hosted models."""


Joined = tuple[Chain, None] | tuple[Backed, Behind]
"""A student made of others; with a hosted model, what that takes."""


class Trained(msgspec.Struct, frozen=True):
    """The student that was taken, with its manifest and the whole climb.

    `doubted` are training rows whose answers may be the teacher's slips.
    """

    folder: Path
    manifest: Manifest
    steps: tuple[Step, ...]
    doubted: tuple[Doubt, ...] = ()


def train_task(
    session: Session,
    task: Task,
    dataset: Dataset,
    family: str | None,
    progress: Progress = silent,
    hosted: Hosted | None = None,
) -> Trained:
    """Climb the ladder on the dataset, or train the one family, and take a student.

    Where no candidate can be certified, the one that agrees most is kept, for its proof to say why.
    A `hosted` model is weighed alone, beside the students: it may be the better choice, and is
    never the student that is taken. It is also weighed behind the student that answers most.

    Raises:
        Refusal: no family could be trained.
    """
    budget = session.terms(task.name).error_budget
    examples = dataset.part("train")
    families = _families(session, task, family, examples)
    against = _against(task, _prices(session, task), named=bool(family))
    with rungs_beside(session, task, families, examples, against) as tried:
        rungs = climb(
            task,
            dataset,
            families,
            lambda one: estimate(rehearsed_of(one), examples, budget, loss_of(task.anatomy)),
            against,
            progress,
            tried,
        )
        return _taken(session, task, dataset, rungs, progress, hosted)


def _taken(
    session: Session,
    task: Task,
    dataset: Dataset,
    rungs: Sequence[Rung],
    progress: Progress,
    hosted: Hosted | None,
) -> Trained:
    """Join the rungs, publish and weigh all, and take one."""
    prices = _prices(session, task)
    budget = session.terms(task.name).error_budget
    examples = dataset.part("train")
    students = [rung.student for rung in rungs if rung.student is not None]
    chains = _chains(students, examples, budget)
    rows = dataset.part("calibration")
    joined: list[Joined] = [(chain, None) for chain in chains]
    if hosted is not None:
        found = _backed([*students, *chains], examples, budget, loss_of(task.anatomy), hosted)
        joined += [(one, behind(one, rows, hosted)) for one in found]
    worth = [_worth(one, examples, budget, task) for one in [*students, *(j[0] for j in joined)]]
    shares = confidence_shares([*worth, 0.0] if hosted else worth)
    redacted = redacted_by(dataset.report.notes)
    folder = session.workspace.folder(task.id)
    scale = Scale(session, task, rows, shares, prices, progress, redacted, next_try(folder))
    other = weigh_hosted(scale, hosted) if hosted else None
    made = _publish(scale, _draft(task, dataset, shares), rungs, joined, other)
    number = try_of(folder, [one.manifest.id for one in made])
    scale = msgspec.structs.replace(scale, number=number)
    at, table = take(scale, made, other, hosted)
    # The newest folder is the task's current student.
    os.utime(made[at].folder)
    skipped = [
        Step(rung.family, rung.skipped, parameters=rung.parameters)
        for rung in rungs
        if rung.student is None
    ]
    doubted = tuple(doubts(_last_rehearsed(students), examples))
    path = folder / f"doubts-{dataset.id}.jsonl"
    publish_file(path, b"".join(msgspec.json.encode(doubt) + b"\n" for doubt in doubted))
    return Trained(made[at].folder, made[at].manifest, (*table, *skipped), doubted)


def _last_rehearsed(students: Sequence[Any]) -> Mapping[str, Rehearsed]:
    """Return the guesses of the largest rung that rehearsed."""
    for student in reversed(students):
        if found := rehearsed_of(student):
            return found
    return {}


def _families(
    session: Session, task: Task, name: str | None, examples: Sequence[Example]
) -> list[Family]:
    """Return the families in the order of the climb: by size, but few labels call the encoder."""
    scratch = session.workspace.folder(task.id) / "scratch"
    if name:
        return [plugins.family(name, scratch)]
    found = [plugins.family(one.name, scratch) for one in plugins.ladder()]
    if labels_a_class(task.anatomy, examples) >= _FEW:
        return found
    return sorted(found, key=lambda family: family.name != _FOR_FEW)


def _prices(session: Session, task: Task) -> Prices:
    return Prices(
        teacher_usd=teacher_usd(task),
        teacher_ms=task.latency_p50_ms,
        cpu_usd_hour=session.config.defaults.cpu_usd_hour,
        audit_share=session.terms(task.name).audit_share,
    )


def _against(task: Task, prices: Prices, *, named: bool) -> Callable[[Family, Sequence[Rung]], str]:
    """Return the climb's reasons against a family; one that the user named has none."""

    def reason(family: Any, rungs: Sequence[Rung]) -> str:
        if named:
            return ""
        found = [rung.estimate for rung in rungs if rung.estimate is not None]
        stop = _alone(rungs) or _stalled(found)
        if found and not stop:
            stop = _enough(found[-1], prices, calls_month(task))
        return stop or (family.unsuited(task) if hasattr(family, "unsuited") else "")

    return reason


def _alone(rungs: Sequence[Rung]) -> str:
    """Return why nothing comes after an encoder that was tried before all others."""
    first = rungs[0] if rungs else None
    if first is None or first.student is None or first.family != _FOR_FEW:
        return ""
    return f"not tried: under {_FEW} answers a label, the {_FOR_FEW} alone is worth training"


def _stalled(found: Sequence[Estimate]) -> str:
    """Return why a larger rung would be no better: the last was not, and can answer hardly any."""
    if len(found) < 2 or max(found[-1].coverage, found[-2].coverage) > _HOPELESS:
        return ""
    # Two standard errors of the difference: less is what chance gives.
    noise = sum(one.agreement * (1 - one.agreement) / one.rows for one in found[-2:]) ** 0.5
    if found[-1].agreement > found[-2].agreement + 2 * noise:
        return ""
    return "not tried: the last two rungs answer next to nothing, and agree equally seldom"


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
        whole = join(links, examples, budget)
        # Where no link but one can be joined, the whole is what there is already.
        if isinstance(whole, Chain) and whole != ends:
            chains.append(whole)
    return chains


def _backed(
    students: Sequence[Any],
    examples: Sequence[Example],
    budget: float,
    loss: Loss,
    hosted: Hosted,
) -> list[Backed]:
    """Return the student that answers most, as rehearsed, with the hosted model behind it.

    The student may use up half of the budget, as the rest is for what the model gets wrong, and
    answers only what it is sure of: one more call of the model is cheap.
    """
    found = [
        (worth.coverage, worth.threshold, student)
        for student in students
        if (worth := estimate(rehearsed_of(student), examples, budget * _SHARE, loss)) is not None
    ]
    if not found:
        return []
    _, gate, student = max(found, key=lambda one: one[0])
    return [] if gate is None else [Backed(student, max(gate, _SURE), hosted.model)]


def _worth(student: Any, examples: Sequence[Example], budget: float, task: Task) -> float:
    """Return the share of calls that a candidate may answer, as training rows have it."""
    if isinstance(student, Backed):
        return 1.0  # the model behind it is asked for all the rest
    found = estimate(rehearsed_of(student), examples, budget, loss_of(task.anatomy))
    return found.coverage if found else 0.0


def _draft(task: Task, dataset: Dataset, shares: Sequence[float]) -> dict[str, Any]:
    return {
        "task": task.id,
        "dataset": dataset.id,
        "contract": msgspec.to_builtins(contract_of(task, dataset.id)),
        "made_at": steps.now(),
        "candidates": len(shares),
    }


def _publish(
    scale: Scale,
    draft: dict[str, Any],
    rungs: Sequence[Rung],
    joined: Sequence[Joined],
    other: Other | None,
) -> list[Made]:
    """Publish every trained rung, then what joins them; what a hosted model costs is noted."""
    made: list[Made] = []
    parent = scale.session.workspace.students(scale.task.id)
    cheaper = [other.row] if other else []

    def publish(name: str, family: Saver, student: Any, training: dict[str, Any]) -> Made:
        noted = training | ({"cheaper": msgspec.to_builtins(cheaper)} if cheaper else {})
        noted |= {"redacted": scale.redacted, "try": scale.number}
        golden = golden_outputs(family.name, student)
        own = {"training": noted, "share": scale.shares[len(made)], "golden": golden}
        own |= {"golden_version": GOLDEN_VERSION} if golden else {}
        folder, manifest = publish_student(parent, family, student, draft | own)
        student.id = manifest.id
        return Made(name, manifest, folder)

    for rung in rungs:
        if rung.student is None:
            continue
        kept = publish(rung.family, plugins.family(rung.family), rung.student, _training(rung))
        made.append(msgspec.structs.replace(kept, rung=rung))
    for one, found in joined:
        if found is None:
            made.append(_publish_chain(publish, one))
            continue
        noted = {"behind": msgspec.to_builtins(found.row)}
        kept = publish(_chain_name(one), BACKED, one, noted)
        made.append(msgspec.structs.replace(kept, behind=found))
    return made


def _publish_chain(publish: Callable[[str, Saver, Any, dict[str, Any]], Made], chain: Any) -> Made:
    """Publish a chain, and first the chain that may be its second link."""
    if isinstance(chain.second, Chain) and not chain.second.id:
        publish("", CHAIN, chain.second, {})
    return publish(_chain_name(chain), CHAIN, chain, {"rows": len(chain.rehearsed)})


def _training(rung: Rung) -> dict[str, Any]:
    return {
        "rows": rung.rows,
        "seconds": round(rung.seconds, 2),
        "cpu_seconds": round(rung.cpu_seconds, 2),
        "peak_megabytes": round(rung.peak_megabytes),
    }


def _chain_name(student: Any) -> str:
    if isinstance(student, Backed):
        return f"{_chain_name(student.first)} → {student.model.name}"
    if isinstance(student, Chain):
        return f"{_chain_name(student.first)} → {_chain_name(student.second)}"
    return student.family
