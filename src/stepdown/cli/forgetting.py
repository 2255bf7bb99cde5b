"""Taking rows out of a task's files: its datasets, and all that was made beside them.

A dataset is named by its content, so what is left of it has another name. Students that learnt from
the rows can't be made to unlearn them: they are named. Every step can be taken again, and a dataset
goes last, so that who was killed in between finds it.
"""

import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from stepdown.cli.holdings import BESIDE, every_row, owners_of, plainly
from stepdown.cli.options import Session
from stepdown.core.datasets import Dataset, Example
from stepdown.core.fingerprint import canonical_json
from stepdown.core.proofs import Proof
from stepdown.core.tasks import Task, input_text
from stepdown.errors import ArtefactError
from stepdown.label import load_dataset, save_dataset, without
from stepdown.prove import load_proof
from stepdown.workspace.artefacts import read_manifest
from stepdown.workspace.files import publish_file
from stepdown.workspace.tries import REMOVED, note_opening

__all__ = ["TaskForgotten", "forget_in_task"]

Gone = Callable[[Example], bool]


class TaskForgotten(msgspec.Struct):
    """What was taken out of a task: rows, from which datasets (old name → new); which students had
    learnt from them, with how many rows; which proofs showed some and were removed."""

    task: str
    rows: int = 0
    datasets: dict[str, str] = {}
    students: dict[str, int] = {}
    proofs: list[str] = []


def forget_in_task(
    session: Session, task: Task, gone: Gone, known: Collection[str], told_of: Collection[str]
) -> TaskForgotten:
    """Take rows out of everything that a task's folder holds, and say what became of it.

    `known` are calls whose rows go wherever they stand, `told_of` what was said in them
    (`plainly`).
    """
    folder, told = session.workspace.folder(task.id), TaskForgotten(task.name)
    ids, said = set(known), set(told_of)
    learnt: dict[str, int] = {}
    for path in sorted(folder.glob("dataset-*.jsonl")):
        try:
            dataset = load_dataset(path.read_bytes())
        except ArtefactError:
            # Nobody can use it, and nobody can say whose rows it has.
            path.unlink()
            continue
        rows = [row for row in every_row(dataset) if gone(row) or row.id in ids]
        if rows:
            ids |= {row.id for row in rows}
            said |= {plainly(input_text(row.input)) for row in rows}
            learnt[dataset.id] = len(rows)
            told.datasets[dataset.id] = _renewed(folder, path, dataset, ids)
            told.rows += len(rows)
    told.students = _students(session, task, learnt)
    told.proofs = _without_proofs(session.workspace.proofs(task.id), said)
    _without_lines(folder / "gold.jsonl", folder / "gold.jsonl", ids)
    if learnt:
        # Checkpoints of a training that was cut off.
        shutil.rmtree(folder / "scratch", ignore_errors=True)
    examples = tuple(one for one in task.examples if not _shown(one.partition(" → ")[0], said))
    if examples != task.examples:
        session.workspace.write_task(msgspec.structs.replace(task, examples=examples))
    return told


def _renewed(folder: Path, path: Path, dataset: Dataset, ids: set[str]) -> str:
    """Write what is left of a dataset, and of what stands beside it; returns its new name."""
    left = without(dataset, lambda row: row.id in ids)
    status = path.stat()
    target = folder / f"dataset-{left.id}.jsonl"
    publish_file(target, save_dataset(left))
    # The newest stays the newest.
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    for kind in BESIDE[1:]:
        _without_lines(
            folder / f"{kind}-{dataset.id}.jsonl", folder / f"{kind}-{left.id}.jsonl", ids
        )
    note_opening(folder, left.id, was=dataset.id)
    path.unlink()
    return left.id


def _without_lines(path: Path, target: Path, ids: set[str]) -> None:
    """Move a file of JSON lines without those of the rows; what can't be read goes as well."""
    if not path.exists():
        return
    kept: list[bytes] = []
    for line in path.read_bytes().split(b"\n"):
        about = owners_of(line)
        if about is not None and ids.isdisjoint(about):
            kept.append(line + b"\n")
    publish_file(target, b"".join(kept))
    if target != path:
        path.unlink()


def _students(session: Session, task: Task, learnt: dict[str, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for folder in session.workspace.students(task.id).glob("[!.]*"):
        try:
            manifest = read_manifest(folder)
        except ArtefactError:
            continue
        if manifest.dataset in learnt:
            found[manifest.id] = learnt[manifest.dataset]
    return found


def _without_proofs(folder: Path, said: Collection[str]) -> list[str]:
    """Remove the proofs that show something that was said, and return their names."""
    removed: list[str] = []
    for path in folder.glob("*.json"):
        try:
            proof = load_proof(path.read_bytes())
        except ArtefactError:
            continue
        if proof.test and any(_shown(one.example, said) for one in proof.test.confusions):
            _note_removed(path, proof)
            path.with_suffix(".html").unlink(missing_ok=True)
            path.unlink()
            removed.append(path.stem)
    return removed


def _note_removed(path: Path, proof: Proof) -> None:
    """Leave whose proof it was and of when: its share of the confidence stays spent."""
    status, left = path.stat(), path.with_suffix(REMOVED)
    noted = {"student": proof.student, "made_at": proof.made_at, "dataset": proof.dataset}
    publish_file(left, canonical_json(noted))
    os.utime(left, ns=(status.st_atime_ns, status.st_mtime_ns))


def _shown(example: str, said: Collection[str]) -> bool:
    """Say whether an example, which may be cut, is of a text that was said."""
    begun = plainly(example.removesuffix("…"))
    return bool(begun) and any(text.startswith(begun) for text in said)
