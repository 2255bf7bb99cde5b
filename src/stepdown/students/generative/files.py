"""The files of a generative student: what to write and how, and the model's own files."""

import os
import shutil
from pathlib import Path

import msgspec

from stepdown.core.fingerprint import canonical_json
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError
from stepdown.students.assembly import assembler_of
from stepdown.students.confidence import INPUTS, Confidence
from stepdown.students.generative.engines import SERVER, model_files, open_engine
from stepdown.students.generative.prompts import Prompt
from stepdown.students.generative.slots import Form
from stepdown.students.generative.student import GenerativeStudent
from stepdown.students.novelty.texts import load_texts, save_texts

__all__ = ["load_generative", "save_generative"]

_FORMAT = 1
_STUDENT = "generative.json"


class _Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: int
    form: Form
    prompt: Prompt
    confidence: Confidence


def save_generative(student: GenerativeStudent, folder: Path) -> None:
    """Write the student's files into an existing empty folder."""
    described = _Described(_FORMAT, student.form, student.prompt, student.confidence)
    (folder / _STUDENT).write_bytes(canonical_json(described))
    save_texts(student.novelty, folder)
    # All side by side: what is published is one folder of plain files.
    for path in model_files(student.files):
        shutil.copyfile(path, folder / path.name)


def load_generative(folder: Path, task: Task) -> GenerativeStudent:
    """Load what `save_generative` wrote; a server answers where the environment names one.

    Raises:
        ArtefactError: a file is missing or is not what it has to be.
        Unavailable: the extra `generate` is not installed.
    """
    try:
        found = msgspec.json.decode((folder / _STUDENT).read_bytes(), type=_Described)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"Student {folder.name} is damaged: {_STUDENT} can't be read; train it again with "
            "`stepdown train`."
        ) from error
    weights = len(found.confidence.weights) in (0, INPUTS)
    if found.format != _FORMAT or found.form.shape != task.anatomy.shape or not weights:
        raise ArtefactError(
            f"Student {folder.name} is damaged: {_STUDENT} is of another task or version; train "
            "it again with `stepdown train`."
        )
    novelty = load_texts(folder)
    engine = open_engine(folder, os.environ.get(SERVER, ""), folder.name)
    student = GenerativeStudent(
        engine, found.form, found.prompt, found.confidence, assembler_of(task), folder
    )
    student.novelty = novelty
    return student
