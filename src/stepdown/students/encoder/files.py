"""The files of an encoder student: a linear student's, the encoder's graph and its tokenizer."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError
from stepdown.students.encoder.look import EncoderLook
from stepdown.students.encoder.session import open_session
from stepdown.students.encoder.student import EncoderStudent
from stepdown.students.features import Featurizer
from stepdown.students.linear.files import load_linear, save_linear

__all__ = ["load_encoder", "save_encoder"]

_GRAPH = "encoder.onnx"
_TOKENIZER = "tokenizer.json"
_LOOK = "look.safetensors"
_MEAN = "mean"


def save_encoder(student: EncoderStudent, folder: Path) -> None:
    """Write the student's files into an existing empty folder: it needs nothing beside them."""
    save_linear(student.inner, folder)
    session = student.look.session
    (folder / _GRAPH).write_bytes(session.model)
    (folder / _TOKENIZER).write_bytes(session.tokenizer)
    (folder / _LOOK).write_bytes(save({_MEAN: student.look.mean}))


def load_encoder(folder: Path, task: Task) -> EncoderStudent:
    """Load what `save_encoder` wrote.

    Raises:
        ArtefactError: a file is missing or is not what it has to be.
        Unavailable: the extra `encoder` is not installed.
    """
    try:
        graph, tokenizer = (folder / _GRAPH).read_bytes(), (folder / _TOKENIZER).read_bytes()
        mean = load((folder / _LOOK).read_bytes()).get(_MEAN)
    except (OSError, SafetensorError, ValueError) as error:
        raise _broken(folder, "its encoder can't be read") from error
    session = open_session(graph, tokenizer)
    if mean is None or mean.dtype != np.float32 or mean.shape != (session.size,):
        raise _broken(folder, f"{_LOOK} is not a mean state")
    if not np.isfinite(mean).all():
        raise _broken(folder, f"{_LOOK} holds a number that is not finite")
    looks: list[EncoderLook] = []

    def look(ngrams: Featurizer) -> Featurizer:
        looks.append(EncoderLook(ngrams, session, mean))
        return looks[-1]

    inner = load_linear(folder, task, look)
    return EncoderStudent(inner, looks[-1])


def _broken(folder: Path, what: str) -> ArtefactError:
    return ArtefactError(
        f"Student {folder.name} is damaged: {what}; train it again with `stepdown train`."
    )
