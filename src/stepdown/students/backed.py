"""A student with a hosted model behind it: what the student is not sure of, the model is asked.

It is a student like any other, with one answer and one confidence for an input, so one joint
certificate covers both. The gate, above which the student's answer is taken, is set on rehearsed
training rows; whatever the hosted model says ranks below it, by the model's own probability. So a
certified threshold below the gate trusts the model with its surest answers, or with all of them.

In a gateway nothing is asked here: below the gate this abstains, and the gateway asks the model.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from stepdown.core.fingerprint import canonical_json
from stepdown.core.ports import Prediction, Student
from stepdown.core.tasks import Input
from stepdown.errors import ArtefactError
from stepdown.students.hosted import HostedStudent

__all__ = ["BACKED", "Backed", "BackedSaver", "Model", "load_backed"]

_FILE = "backed.json"
_BELOW = "Below the gate, where the hosted model is asked."


class Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The hosted model, as it was asked: its name, and what the endpoint speaks."""

    name: str
    api: Literal["chat", "decisions"]


class Backed:
    """A student, the gate above which its answer is taken, and the model that is asked below it.

    `hosted` has the answers that the model gave when it was asked; without them this abstains.
    """

    def __init__(self, first: Student, gate: float, model: Model) -> None:
        self.id = ""
        self.family = f"{first.family} → {model.name}"
        self.first = first
        self.gate = gate
        self.model = model
        self.hosted = HostedStudent(model.name, {})

    def leaves(self, said: Prediction) -> bool:
        """Say whether a prediction of the student is one that the model is asked after.

        What is too novel for the student is too novel for a certificate of its rows.
        """
        if said.answer is None:
            return not said.abstained.startswith("novel")
        return said.confidence < self.gate

    def predict(self, given: Input) -> Prediction:
        """Answer one input: the student's answer, or what the model said when it was asked."""
        said = self.first.predict(given)
        if not self.leaves(said):
            return said
        other = self.hosted.predict(given)
        if other.answer is None:
            return msgspec.structs.replace(said, answer=None, abstained=_BELOW)
        return msgspec.structs.replace(
            other, confidence=self.gate * other.confidence, novelty=said.novelty
        )


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`backed.json`: the student's id (it lies in a folder of its own), and what backs it."""

    first: str
    gate: float
    model: Model


class BackedSaver(msgspec.Struct, frozen=True):
    """Saves backed students; they are made of trained ones, so there is no family to train."""

    name: str = "backed"

    def save(self, student: Backed, folder: Path) -> None:
        """Write what backs the student into an existing empty folder; itself is published."""
        file = _File(student.first.id, student.gate, student.model)
        (folder / _FILE).write_bytes(canonical_json(file))


BACKED = BackedSaver()


def load_backed(folder: Path, open_student: Callable[[str], Student]) -> Backed:
    """Load what `BackedSaver.save` wrote; `open_student` opens a student by its id.

    Raises:
        ArtefactError: the file is not what it has to be, or the student can't be opened.
    """
    try:
        read = msgspec.json.decode((folder / _FILE).read_bytes(), type=_File)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"Student {folder.name} can't be read ({error}); train it again with `stepdown train`."
        ) from error
    return Backed(open_student(read.first), read.gate, read.model)
