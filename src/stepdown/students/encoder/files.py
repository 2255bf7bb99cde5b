"""The files of an encoder student: a linear student's, the encoder's graph and its tokenizer."""

from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError
from stepdown.students.encoder.look import EncoderLook
from stepdown.students.encoder.session import open_session
from stepdown.students.encoder.spans import Emission, EncoderSpans
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
    inner, session = copy(student.inner), student.look.session
    inner.spans = {scope: spans.model for scope, spans in student.inner.spans.items()}
    save_linear(inner, folder)
    tensors = {_MEAN: student.look.mean}
    for scope, spans in enumerate(student.inner.spans.values()):
        for layer, emission in enumerate(spans.emissions):
            tensors[f"{scope}.{layer}.weights"] = emission.weights
            tensors[f"{scope}.{layer}.bias"] = emission.bias
    (folder / _GRAPH).write_bytes(session.model)
    (folder / _TOKENIZER).write_bytes(session.tokenizer)
    (folder / _LOOK).write_bytes(save(tensors))


def load_encoder(folder: Path, task: Task) -> EncoderStudent:
    """Load what `save_encoder` wrote.

    Raises:
        ArtefactError: a file is missing or is not what it has to be.
        Unavailable: the extra `encoder` is not installed.
    """
    try:
        graph, tokenizer = (folder / _GRAPH).read_bytes(), (folder / _TOKENIZER).read_bytes()
        tensors: dict[str, Any] = load((folder / _LOOK).read_bytes())
    except (OSError, SafetensorError, ValueError) as error:
        raise _broken(folder, "its encoder can't be read") from error
    session = open_session(graph, tokenizer)
    mean = _array(folder, tensors, _MEAN, session.size)
    looks: list[EncoderLook] = []

    def look(ngrams: Featurizer) -> Featurizer:
        looks.append(EncoderLook(ngrams, session, mean))
        return looks[-1]

    inner = load_linear(folder, task, look)
    for at, (scope, model) in enumerate(inner.spans.items()):
        emissions = [
            Emission(
                _array(
                    folder, tensors, f"{at}.{layer}.weights", session.size, len(part.crf.labels)
                ),
                _array(folder, tensors, f"{at}.{layer}.bias", len(part.crf.labels)),
            )
            for layer, part in enumerate(model.layers)
        ]
        inner.spans[scope] = EncoderSpans(model, tuple(emissions), session)
    return EncoderStudent(inner, looks[-1])


def _array(folder: Path, tensors: dict[str, Any], name: str, *shape: int) -> NDArray[np.float32]:
    found = tensors.get(name)
    if found is None or found.dtype != np.float32 or found.shape != shape:
        raise _broken(folder, f"array {name!r} of {_LOOK} is missing or is not float32 {shape}")
    if not np.isfinite(found).all():
        raise _broken(folder, f"array {name!r} of {_LOOK} holds a number that is not finite")
    return found


def _broken(folder: Path, what: str) -> ArtefactError:
    return ArtefactError(
        f"Student {folder.name} is damaged: {what}; train it again with `stepdown train`."
    )
