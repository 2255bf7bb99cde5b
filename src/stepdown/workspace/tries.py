"""`tries.json`: how often a task's held-out rows were looked at; it outlives students and proofs.

Who weighs students on the calibration rows uses up some of the confidence, whatever becomes of
them. So each training is a try, proved or not, and its number never changes. Each proof opens the
test part of its dataset.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from stepdown.core.fingerprint import canonical_json
from stepdown.errors import ArtefactError
from stepdown.workspace.artefacts import read_manifest
from stepdown.workspace.files import locked, publish_file, read_file

__all__ = ["REMOVED", "next_try", "note_opening", "try_of"]

REMOVED = ".removed"
"""How the name ends of what is left of a proof that was taken out."""


class _Tries(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The students of each try, in order; by dataset, how often its test part was opened."""

    tries: tuple[tuple[str, ...], ...] = ()
    opened: Mapping[str, int] = {}


class _Proved(msgspec.Struct):
    """Of a proof, or of what is left of one: whose it is, of when, and on which dataset."""

    student: str
    made_at: str
    dataset: str = ""


def next_try(folder: Path) -> int:
    """Return which try the next training of the task is whose folder it is.

    What was before is written down first: else the students that it publishes would be taken for
    some of an older version, and none would count once it is removed.
    """
    with locked(folder / ".tries.lock"):
        kept = _kept(folder)
        if not (folder / "tries.json").exists():
            _publish(folder, kept)
        return len(kept.tries) + 1


def try_of(folder: Path, students: Collection[str]) -> int:
    """Return which try it is to weigh these students; one with a new student among them is noted.

    The same students made again are no new try.
    """
    with locked(folder / ".tries.lock"):
        kept = _kept(folder)
        # A student keeps the number that it was weighed with first.
        known = {one: at for at in range(len(kept.tries), 0, -1) for one in kept.tries[at - 1]}
        if known.keys() >= set(students):
            return max(known[student] for student in students)
        tries = (*kept.tries, tuple(sorted(students)))
        _publish(folder, msgspec.structs.replace(kept, tries=tries))
        return len(tries)


def note_opening(folder: Path, dataset: str, was: str = "") -> int:
    """Note that a dataset's test part is opened, and return how often it was, this time too.

    With `was` it is not opened, but is what became of that dataset, and counts as often opened.
    """
    with locked(folder / ".tries.lock"):
        kept = _kept(folder)
        times = max(kept.opened.get(dataset, 0), kept.opened.get(was, 0)) + (not was)
        _publish(folder, msgspec.structs.replace(kept, opened={**kept.opened, dataset: times}))
        return times


def _publish(folder: Path, tries: _Tries) -> None:
    publish_file(folder / "tries.json", canonical_json(tries))


def _kept(folder: Path) -> _Tries:
    """Return what is noted; before anything was, what students and proofs tell.

    Raises:
        ArtefactError: the file is not what this module writes.
    """
    remedy = f"remove tasks/{folder.name}/tries.json: it is made anew from students and proofs"
    return read_file(folder / "tries.json", _Tries, remedy) or _before(folder)


def _before(folder: Path) -> _Tries:
    """Return the tries that students and proofs tell of where none are noted, by time."""
    made: dict[tuple[str, int, str, int], set[str]] = {}
    for student in folder.glob("students/[!.]*"):
        try:
            one = read_manifest(student)
        except ArtefactError:
            made.setdefault(("", 0, student.name, 0), set()).add(student.name)
            continue
        # What was trained together was weighed together; a second may hold several trainings.
        number = one.training.get("try")
        at = number if isinstance(number, int) else 0  # of an older version
        made.setdefault((one.made_at, at, one.dataset, one.candidates), set()).add(one.id)
    opened: dict[str, int] = {}
    there = set[str]().union(*made.values())
    # Those that were taken out too: their rows have been looked at.
    for path in (*folder.glob("proofs/*.json"), *folder.glob(f"proofs/*{REMOVED}")):
        proof = read_file(path, _Proved, "remove it, and prove again")
        if proof is None:
            continue
        opened[proof.dataset] = opened.get(proof.dataset, 0) + 1
        if proof.student not in there:
            there.add(proof.student)
            made[proof.made_at, 0, proof.student, 0] = {proof.student}
    tries = tuple(tuple(sorted(made[key])) for key in sorted(made))
    return _Tries(tries, opened)
