"""The flow of DESIGN §2 wired together: each step reads, calls one room, and publishes.

Commands, `run` and `demo` are made of these; nothing here prints.
"""

import contextlib
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import msgspec

from stepdown import __version__
from stepdown.audit import AuditTerms, Counting, report_on
from stepdown.audit.naming import names_beside
from stepdown.cli.ceilings import asked_ceiling
from stepdown.cli.engine_jobs import answering
from stepdown.cli.opening import open_student
from stepdown.cli.options import Session
from stepdown.cli.privacy import cleaner
from stepdown.cli.sources import all_calls, calls_of_tasks, count_calls
from stepdown.cli.student_costs import labelling_usd
from stepdown.cli.synthesis import made_up
from stepdown.core.audits import AuditReport, SourceCoverage
from stepdown.core.calls import UNANSWERED, Call
from stepdown.core.datasets import Dataset
from stepdown.core.labels import Label
from stepdown.core.ports import Progress, Student, silent
from stepdown.core.proofs import Ceiling, CostRow, Proof
from stepdown.core.redaction import redaction_note
from stepdown.core.routes import Mode, Policy, Route
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError, NotEnoughData, Refusal
from stepdown.label import build_dataset, load_dataset, noting, save_dataset
from stepdown.label.guard import Guard
from stepdown.label.outcomes import widened
from stepdown.logs import spool
from stepdown.logs.sources import STDIN, is_stream
from stepdown.prove import ProofTerms, load_proof, prove, save_proof
from stepdown.store.ledger import read_labels
from stepdown.web import proof_page
from stepdown.workspace import Workspace
from stepdown.workspace.artefacts import Manifest, verify_student
from stepdown.workspace.ceilings import publish_ceiling, read_ceiling
from stepdown.workspace.columns import note_columns
from stepdown.workspace.files import check_place, publish_file
from stepdown.workspace.gold import read_gold
from stepdown.workspace.policies import change_policy
from stepdown.workspace.tries import note_opening, try_of

__all__ = [
    "all_calls",
    "audit_log",
    "certify",
    "current_dataset",
    "current_proof",
    "current_student",
    "label_task",
    "label_tasks",
    "measure_ceiling",
    "now",
    "open_student",
    "outdated",
    "promote",
    "proof_terms",
]


def now() -> str:
    """Return the time as ISO 8601 in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _sources(session: Session, logs: Sequence[str]) -> list[str]:
    """Make each source one that can be read again, from any folder: streams are kept in a file."""
    found: list[Path] = []
    for log in logs:
        if is_stream(log):
            stdin = contextlib.nullcontext(sys.stdin.buffer)
            with stdin if log == STDIN else open(log, "rb") as stream:
                found.append(spool(stream, session.workspace.spool, cleaner(session)).resolve())
        else:
            # A file that a shell opened as our stdin has a name of its own.
            found.append(Path(log).resolve() if log.startswith("/dev/") else Path(log).absolute())
    return [str(path) for path in found]


def audit_log(
    session: Session,
    logs: Sequence[str],
    progress: Progress = silent,
    columns: Mapping[str, str] = MappingProxyType({}),
) -> AuditReport:
    """Audit the logs and publish each task's `task.json`.

    `columns` says which field of a line tells what; it is noted for whoever reads the logs again.
    """
    # Before the long work: a slip in a path should not cost it.
    check_place(session.workspace.columns)
    sources = _sources(session, logs)
    note_columns(session.workspace.columns, sources, columns)
    coverage: list[SourceCoverage] = []
    terms = session.terms("")
    counting = Counting(progress)
    count_calls(session, sources, coverage, counting, progress)
    report = report_on(
        counting,
        coverage,
        AuditTerms(
            budget=terms.error_budget, confidence=terms.confidence, audit_share=terms.audit_share
        ),
        progress,
    )
    names = names_beside(
        {task.id: task.name for task in report.tasks}, session.workspace.task_names()
    )
    tasks = tuple(
        msgspec.structs.replace(task, sources=tuple(sources), name=name)
        for task, name in zip(report.tasks, names, strict=True)
    )
    for task in tasks:
        session.workspace.write_task(task)
    return msgspec.structs.replace(report, tasks=tasks)


def label_tasks(
    session: Session, tasks: Sequence[Task], progress: Progress = silent
) -> Iterator[tuple[Task, Dataset | Refusal]]:
    """Make the tasks' datasets from the teacher's logged answers and publish each.

    The logs are read once, whatever the number of tasks. A task with too few examples for a
    certificate comes with its refusal.

    Raises:
        LogError: a log that the audit read is no longer there.
    """
    if not tasks:
        return
    with contextlib.ExitStack() as stack:
        # Files without a name: what the log says never outlives this process, however it ends.
        shards = {task.id: stack.enter_context(tempfile.TemporaryFile()) for task in tasks}
        _distribute(session, tasks, shards, progress)
        for task in tasks:
            labels = _paid_labels(session, task)
            wide = widened(task, _calls_in(shards[task.id])) if labels else task
            _publish_ceiling(session, wide, _calls_in(shards[task.id]), labels)
            try:
                calls = chain(_calls_in(shards[task.id]), made_up(session, task, labels))
                yield task, _label(session, wide, calls, labels)
            except Refusal as error:
                found = sum(call.tier != UNANSWERED for call in _calls_in(shards[task.id]))
                is_short = isinstance(error, NotEnoughData)
                yield task, (outdated(task, found) if is_short else None) or error


def outdated(task: Task, found: int) -> NotEnoughData | None:
    """Return what to say where the logs have less than half of the calls that the audit found."""
    gone = task.calls - found
    if 2 * gone <= task.calls:
        return None
    return NotEnoughData(
        f"{gone:,} of the {task.calls:,} calls that the audit found no longer match the prompt of "
        f"{task.name}, or are gone from the logs; run `stepdown audit` on them again."
    )


def _distribute(
    session: Session, tasks: Sequence[Task], shards: Mapping[str, IO[bytes]], progress: Progress
) -> None:
    """Write each call of the tasks' logs into its task's shard."""
    sources = sorted({source for task in tasks for source in task.sources})
    for task, data in calls_of_tasks(session, sources, frozenset(shards), progress):
        file = shards[task]
        file.write(len(data).to_bytes(4, "big"))
        file.write(data)


def _calls_in(shard: IO[bytes]) -> Iterator[Call]:
    decode = msgspec.msgpack.Decoder(Call).decode
    shard.seek(0)
    while size := shard.read(4):
        yield decode(shard.read(int.from_bytes(size, "big")))


def _label(
    session: Session, task: Task, calls: Iterator[Call], labels: Mapping[str, Sequence[Label]]
) -> Dataset:
    terms = session.terms(task.name)
    # One student alone, proved for the first time, is the least that a certificate takes.
    delta = proof_terms(session, task, 1).delta
    gold = read_gold(session.workspace.folder(task.id) / "gold.jsonl")
    defaults = session.config.defaults
    dataset = build_dataset(
        task,
        calls,
        budget=terms.error_budget,
        confidence=1.0 - delta,
        gold=gold,
        labels=labels,
        guard=Guard(source_share=defaults.source_share, quarantine=defaults.quarantine),
    )
    dataset = noting(dataset, redaction_note(session.config.store.redaction))
    path = session.workspace.folder(task.id) / f"dataset-{dataset.id}.jsonl"
    publish_file(path, save_dataset(dataset))
    return dataset


def measure_ceiling(session: Session, task: Task, progress: Progress = silent) -> Ceiling | None:
    """Publish how often a teacher that was asked again agrees with itself; see `asked_ceiling`."""
    calls = all_calls(session, task.sources, progress, unanswered=True)
    return _publish_ceiling(session, task, calls, _paid_labels(session, task))


def _publish_ceiling(
    session: Session, task: Task, calls: Iterable[Call], labels: Mapping[str, Sequence[Label]]
) -> Ceiling | None:
    found = asked_ceiling(task, calls, labels, now())
    if found is not None:
        publish_ceiling(session.workspace.folder(task.id) / "ceiling.json", found)
    return found


def _paid_labels(session: Session, task: Task) -> dict[str, list[Label]]:
    """Return the paid labels by item; of one teacher's answers to one question the newest."""
    newest = {
        (one.item, one.teacher, one.repeat): one
        for one in read_labels(session.workspace.labels, task.id)
    }
    found: dict[str, list[Label]] = {}
    for one in newest.values():
        found.setdefault(one.item, []).append(one)
    return found


def label_task(session: Session, task: Task, progress: Progress = silent) -> Dataset:
    """Make one task's dataset; see `label_tasks`.

    Raises:
        NotEnoughData: too few examples for a certificate.
    """
    for _, dataset in label_tasks(session, [task], progress):
        if isinstance(dataset, Refusal):
            raise dataset
        return dataset
    raise AssertionError("one task gives one dataset")


def current_dataset(workspace: Workspace, task: Task) -> Dataset:
    """Return the task's newest dataset.

    Raises:
        Refusal: it has none yet.
    """
    path = workspace.newest(workspace.folder(task.id), "dataset-*.jsonl")
    if path is None:
        raise Refusal(f"{task.name} has no dataset yet; run `stepdown label {task.name}` first.")
    return load_dataset(path.read_bytes())


def current_student(workspace: Workspace, task: Task) -> Manifest:
    """Return the manifest of the task's newest student.

    Raises:
        Refusal: it has none yet.
    """
    folder = workspace.newest(workspace.students(task.id), "[!.]*")
    if folder is None:
        raise Refusal(f"{task.name} has no student yet; run `stepdown train {task.name}` first.")
    return verify_student(folder)


def proof_terms(
    session: Session,
    task: Task,
    number: int,
    among: tuple[int, float] = (1, 0.0),
    noted: Mapping[str, Any] = MappingProxyType({}),
) -> ProofTerms:
    """Return what is asked of a proof of a student of the task's `number`-th try.

    `among` is how many candidates it was one of, and its share of the confidence (see
    `ProofTerms`). `noted` is what its manifest says of its training: other ways to answer that were
    weighed beside it (`cheaper`), and the hosted model behind it.
    """
    terms = session.terms(task.name)
    folder = session.workspace.folder(task.id)
    return ProofTerms(
        budget=terms.error_budget,
        confidence=terms.confidence,
        contract=terms.contract,
        audit_share=terms.audit_share,
        labelling_usd=labelling_usd(session, task.id),
        cpu_usd_hour=session.config.defaults.cpu_usd_hour,
        reference=session.reference,
        candidates=among[0],
        share=among[1],
        attempt=number,
        novelty=terms.novelty,
        cheaper=msgspec.convert(noted.get("cheaper", []), tuple[CostRow, ...]),
        behind=msgspec.convert(noted.get("behind"), CostRow | None),
        ceiling=read_ceiling(folder / "ceiling.json"),
        gold=read_gold(folder / "gold.jsonl"),
        gold_certifies=session.gold,
    )


def _as_it_is(student: Student, dataset: Dataset) -> None:
    """Leave a student as it was opened."""


def certify(
    session: Session,
    task: Task,
    progress: Progress = silent,
    prepare: Callable[[Student, Dataset], None] = _as_it_is,
) -> Proof:
    """Prove the task's newest student on the dataset it was trained from; publish JSON and page.

    `prepare` may see to what the student needs for its answers.
    """
    workspace = session.workspace
    manifest = current_student(workspace, task)
    path = workspace.folder(task.id) / f"dataset-{manifest.dataset}.jsonl"
    if not path.is_file():
        raise ArtefactError(f"{path.name} is gone; run `stepdown label {task.name}` again.")
    dataset = load_dataset(path.read_bytes())
    student = open_student(workspace, task, manifest.id)
    prepare(student, dataset)
    number = try_of(workspace.folder(task.id), [manifest.id])
    among = (manifest.candidates, manifest.share)
    terms = proof_terms(session, task, number, among, manifest.training)
    # Noted before it is opened: who is killed in between has looked.
    opened = note_opening(workspace.folder(task.id), dataset.id)
    proof = prove(
        task,
        dataset,
        student,
        msgspec.structs.replace(terms, opened=opened),
        student_bytes=manifest.size_bytes,
        progress=progress,
        answer=answering(session, task, student),
    )
    folder = workspace.proofs(task.id)
    publish_file(folder / f"{proof.id}.json", save_proof(proof))
    publish_file(folder / f"{proof.id}.html", proof_page(proof, task, version=__version__).encode())
    return proof


def current_proof(workspace: Workspace, task: Task) -> Proof | None:
    """Return the task's newest proof, or None."""
    path = workspace.newest(workspace.proofs(task.id), "*.json")
    return load_proof(path.read_bytes()) if path else None


def promote(session: Session, task: Task, mode: Mode = "live", share: float = 1.0) -> Policy:
    """Route the task to the student of its newest proof.

    Raises:
        Refusal: it has no proof, or the proof did not pass. There is no way around this.
    """
    proof = current_proof(session.workspace, task)
    if proof is None:
        raise Refusal(f"{task.name} has no proof yet; run `stepdown prove {task.name}` first.")
    threshold, cutoff = proof.certificate.threshold, proof.certificate.novelty_cutoff
    if not proof.passed or threshold is None:
        raise Refusal(f"{task.name} is not certified: {proof.summary}")
    open_student(session.workspace, task, proof.student)

    def change(old: Route | None) -> Route:
        return Route(task.id, proof.student, proof.id, threshold, mode, share, old, cutoff)

    return change_policy(session.workspace.policy, task.id, change)
