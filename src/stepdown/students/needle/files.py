"""The files of a Needle student: the built archive, the tools, and our confidence."""

import shutil
from pathlib import Path
from typing import Any

import msgspec

from stepdown.core.fingerprint import canonical_json
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError
from stepdown.students.assembly import assembler_of
from stepdown.students.confidence import INPUTS, Confidence
from stepdown.students.needle.student import NeedleStudent
from stepdown.students.needle.worker import Worker
from stepdown.students.novelty.texts import load_texts, save_texts

__all__ = ["load_needle", "save_needle"]

_FORMAT = 1
_STUDENT, _ARCHIVE = "needle.json", "needle.cact"


class _Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    tools: tuple[dict[str, Any], ...]
    confidence: Confidence


def save_needle(student: NeedleStudent, folder: Path) -> None:
    """Write the student's files into an existing empty folder."""
    tools = tuple(dict(tool) for tool in student.tools)
    described = _Described(_FORMAT, tools, student.confidence)
    (folder / _STUDENT).write_bytes(canonical_json(described))
    save_texts(student.novelty, folder)
    shutil.copyfile(student.worker.weights, folder / _ARCHIVE)


def load_needle(folder: Path, task: Task) -> NeedleStudent:
    """Load what `save_needle` wrote, and start its engine.

    Raises:
        ArtefactError: a file is missing or is not what it has to be.
        Unavailable: the extra `needle` or its engine is not here.
    """
    try:
        found = msgspec.json.decode((folder / _STUDENT).read_bytes(), type=_Described)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _broken(folder, f"{_STUDENT} can't be read") from error
    named = all(isinstance(tool.get("name"), str) for tool in found.tools)
    fitted = len(found.confidence.weights) in (0, INPUTS)
    if found.format != _FORMAT or not named or not fitted or task.anatomy.shape != "tool":
        raise _broken(folder, f"{_STUDENT} is of another task or version")
    if not (folder / _ARCHIVE).is_file():
        raise _broken(folder, f"{_ARCHIVE} is missing")
    novelty = load_texts(folder)
    worker = Worker(folder / _ARCHIVE, canonical_json(found.tools).decode())
    worker.start()
    student = NeedleStudent(worker, found.tools, found.confidence, assembler_of(task))
    student.novelty = novelty
    return student


def _broken(folder: Path, what: str) -> ArtefactError:
    return ArtefactError(
        f"Student {folder.name} is damaged: {what}; train it again with `stepdown train`."
    )
