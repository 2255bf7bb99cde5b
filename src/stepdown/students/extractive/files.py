"""The files of an extractive student: JSON for its rules, safetensors for its weights."""

from pathlib import Path

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stepdown.core.digests import Limits, summary_of
from stepdown.core.fingerprint import canonical_json
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError
from stepdown.students.extractive.picking import EVIDENCE, Rule
from stepdown.students.extractive.scoring import Scorer, Sureness
from stepdown.students.extractive.sentences import BUCKETS, COLUMNS
from stepdown.students.extractive.student import ExtractiveStudent
from stepdown.students.novelty.texts import load_texts, save_texts

__all__ = ["load_extractive", "save_extractive"]

_DESCRIBED, _WEIGHTS = "extractive.json", "extractive.safetensors"
_NAME = "weights"


class _Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    limits: Limits
    rule: Rule
    sureness: Sureness
    shift: float


def save_extractive(student: ExtractiveStudent, folder: Path) -> None:
    """Write the student's files into an existing empty folder."""
    scorer = student.scorer
    described = _Described(student.limits, student.rule, student.sureness, scorer.shift)
    (folder / _DESCRIBED).write_bytes(canonical_json(described))
    (folder / _WEIGHTS).write_bytes(save({_NAME: scorer.weights}))
    save_texts(student.novelty, folder)


def load_extractive(folder: Path, task: Task) -> ExtractiveStudent | None:
    """Load what `save_extractive` wrote; None where the student is of another kind.

    Raises:
        ArtefactError: a file is missing, is not what it has to be, or the task has other limits.
    """
    try:
        written = (folder / _DESCRIBED).read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(written, type=_Described)
        weights = load((folder / _WEIGHTS).read_bytes())[_NAME]
        if weights.dtype != np.float32 or weights.shape != (BUCKETS + COLUMNS,):
            raise ValueError("its weights are of another size")
        if not np.isfinite(weights).all() or len(found.sureness.weights) not in (0, EVIDENCE):
            raise ValueError("its weights hold what is no number, or too few of them")
    except (OSError, msgspec.MsgspecError, SafetensorError, KeyError, ValueError) as error:
        raise ArtefactError(
            f"Student {folder.name} is damaged ({error}); train it again with `stepdown train`."
        ) from error
    if found.limits != summary_of(task.anatomy):
        raise ArtefactError(
            f"Student {folder.name} writes summaries of another length than the task's answers "
            "have; train it again with `stepdown train`."
        )
    scorer = Scorer(weights, found.shift)
    return ExtractiveStudent(found.limits, scorer, found.rule, found.sureness, load_texts(folder))
