"""The files of a linear student: JSON for what has names, safetensors for numbers, CRF models.

`student.json` lists everything else; nothing is loaded that it does not name, and every array is
checked for its type and shape before use.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stepdown.core.anatomy import Shape
from stepdown.core.fingerprint import canonical_json
from stepdown.core.tasks import Task
from stepdown.errors import ArtefactError
from stepdown.students.assembly import assembler_of
from stepdown.students.choice import ABSENT, FREE, ChoiceHead, Labels, Mark
from stepdown.students.confidence import INPUTS, Confidence, Platt
from stepdown.students.features import Featurizer, Vocabulary
from stepdown.students.linear.form import Form, Scope
from stepdown.students.linear.student import LinearStudent
from stepdown.students.novelty import Novelty, Numbers, restored
from stepdown.students.novelty.nearness import SKETCH
from stepdown.students.spans_files import load_spans, save_spans
from stepdown.students.static import require_static

__all__ = ["load_linear", "save_linear"]

_FORMAT = 1
_STUDENT = "student.json"
_WEIGHTS = "weights.safetensors"
_MARKS = {mark.name: mark for mark in (ABSENT, FREE)}


class _Value(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A class of a head: a JSON value, or the name of a mark."""

    value: Any = None
    mark: str = ""


class _HeadEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    labels: tuple[_Value, ...]


class _VocabularyEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    words: tuple[str, ...]
    chars: tuple[str, ...]


class _SpanEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    scope: str
    name: str


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`static` is the hash of the static vectors that the weights belong to, "" without.

    Students of before the novelty gate have no `novelty`.
    """

    format: int
    shape: Shape
    static: str
    vocabularies: tuple[_VocabularyEntry, ...]
    heads: tuple[_HeadEntry, ...]
    spans: tuple[_SpanEntry, ...]
    scopes: dict[str, Scope]
    platts: dict[str, Platt]
    confidence: Confidence
    novelty: Numbers | None = None
    windows: bool = False


def _entry(path: str, head: ChoiceHead) -> _HeadEntry:
    values = head.labels.values
    return _HeadEntry(
        path, tuple(_Value(mark=v.name) if isinstance(v, Mark) else _Value(v) for v in values)
    )


def save_linear(student: LinearStudent, folder: Path) -> None:
    """Write the student's files into an existing empty folder."""
    featurizer = student.featurizer
    tensors: dict[str, NDArray[Any]] = {}
    for at, vocabulary in enumerate(featurizer.vocabularies):
        tensors[f"idf.{at}"] = vocabulary.idf
    for at, head in enumerate(student.heads.values()):
        for part in ("ngrams", "dense", "bias"):
            tensors[f"head.{at}.{part}"] = np.ascontiguousarray(getattr(head, part))
    if student.novelty is not None:
        tensors.update({f"novelty.{k}": array for k, array in student.novelty.arrays.items()})
    spans = tuple(_SpanEntry(scope, f"spans-{at}") for at, scope in enumerate(student.spans))
    manifest = _Manifest(
        format=_FORMAT,
        shape=student.form.shape,
        static=featurizer.static.hash if featurizer.static else "",
        vocabularies=tuple(_VocabularyEntry(v.words, v.chars) for v in featurizer.vocabularies),
        heads=tuple(_entry(path, head) for path, head in student.heads.items()),
        spans=spans,
        scopes=student.form.scopes,
        platts=student.form.platts,
        confidence=student.confidence,
        novelty=student.novelty.numbers if student.novelty else None,
        windows=student.windows is not None,
    )
    if student.windows is not None:
        from stepdown.students.windows.files import save_windows

        save_windows(student.windows, folder)
    (folder / _STUDENT).write_bytes(canonical_json(manifest))
    (folder / _WEIGHTS).write_bytes(save(tensors))
    for entry in spans:
        save_spans(student.spans[entry.scope], folder, entry.name)


class _Tensors:
    """The arrays of a student, each handed out only in the type and shape that it must have."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._tensors: dict[str, NDArray[Any]] = load((folder / _WEIGHTS).read_bytes())
        except (OSError, SafetensorError, ValueError) as error:
            raise _broken(folder, f"{_WEIGHTS} can't be read") from error

    def below(self, prefix: str) -> dict[str, NDArray[Any]]:
        """Return the arrays whose names begin with `prefix`, by the rest of their names."""
        return {
            name.removeprefix(prefix): array
            for name, array in self._tensors.items()
            if name.startswith(prefix)
        }

    def get(self, name: str, *shape: int) -> NDArray[np.float32]:
        found = self._tensors.get(name)
        if found is None or found.dtype != np.float32 or found.shape != shape:
            raise _broken(self._folder, f"array {name!r} is missing or is not float32 {shape}")
        if not np.isfinite(found).all():
            raise _broken(self._folder, f"array {name!r} holds a number that is not finite")
        return found


def _broken(folder: Path, what: str) -> ArtefactError:
    return ArtefactError(
        f"Student {folder.name} is damaged: {what}; train it again with `stepdown train`."
    )


def _manifest(folder: Path) -> _Manifest:
    try:
        manifest = msgspec.json.decode((folder / _STUDENT).read_bytes(), type=_Manifest)
    except OSError as error:
        raise _broken(folder, f"{_STUDENT} can't be read ({error.strerror})") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _broken(folder, f"{_STUDENT} is not a student's description ({error})") from error
    if manifest.format != _FORMAT:
        raise _broken(folder, f"{_STUDENT} has format {manifest.format}, not {_FORMAT}")
    if not 1 <= len(manifest.vocabularies) <= 2:
        raise _broken(folder, "it has no vocabulary for each block of text")
    if len(manifest.confidence.weights) not in (0, INPUTS):
        raise _broken(folder, "its confidence does not have a weight for each input")
    return manifest


def _featurizer(manifest: _Manifest, tensors: _Tensors) -> Featurizer:
    vocabularies = [
        Vocabulary(v.words, v.chars, tensors.get(f"idf.{at}", len(v.words) + len(v.chars)))
        for at, v in enumerate(manifest.vocabularies)
    ]
    return Featurizer(vocabularies, require_static(manifest.static) if manifest.static else None)


def _head(
    at: int, entry: _HeadEntry, featurizer: Featurizer, tensors: _Tensors, folder: Path
) -> ChoiceHead:
    if not entry.labels or any(v.mark and v.mark not in _MARKS for v in entry.labels):
        raise _broken(folder, f"the classes of {entry.path!r} are not classes")
    labels = Labels(tuple(_MARKS[v.mark] if v.mark else v.value for v in entry.labels))
    classes = len(labels)
    size, dense = (featurizer.size, featurizer.dense_size) if classes > 1 else (0, 0)
    return ChoiceHead(
        labels,
        tensors.get(f"head.{at}.ngrams", size, classes),
        tensors.get(f"head.{at}.dense", dense, classes),
        tensors.get(f"head.{at}.bias", classes),
    )


def load_linear(
    folder: Path, task: Task, look: Callable[[Featurizer], Featurizer] | None = None
) -> LinearStudent:
    """Load what `save_linear` wrote; `look` is put around the featurizer before the heads.

    Raises:
        ArtefactError: a file is missing, is not what it has to be, or belongs to other vectors.
    """
    manifest, tensors = _manifest(folder), _Tensors(folder)
    featurizer = _featurizer(manifest, tensors)
    if look is not None:
        featurizer = look(featurizer)
    heads = {
        entry.path: _head(at, entry, featurizer, tensors, folder)
        for at, entry in enumerate(manifest.heads)
    }
    spans = {entry.scope: load_spans(folder, entry.name) for entry in manifest.spans}
    read = {scope: {field.path for field in model.fields} for scope, model in spans.items()}
    _check(manifest, task, set(heads), read, folder)
    form = Form(
        manifest.shape,
        {path: head.labels for path, head in heads.items()},
        manifest.scopes,
        manifest.platts,
    )
    student = LinearStudent(featurizer, heads, spans, form, manifest.confidence, assembler_of(task))
    student.novelty = _novelty(manifest, featurizer, tensors, folder)
    if manifest.windows:
        # Few students have any, and what they are made of takes long to load.
        from stepdown.students.windows.files import load_windows

        student.windows = load_windows(folder)
    return student


def _novelty(
    manifest: _Manifest, featurizer: Featurizer, tensors: _Tensors, folder: Path
) -> Novelty | None:
    if manifest.novelty is None:
        return None
    try:
        size = featurizer.dense_size or SKETCH
        return restored(manifest.novelty, tensors.below("novelty."), size)
    except ValueError as error:
        raise _broken(folder, str(error)) from error


def _check(
    manifest: _Manifest, task: Task, heads: set[str], spans: dict[str, set[str]], folder: Path
) -> None:
    if manifest.shape != task.anatomy.shape:
        raise _broken(folder, f"it answers in shape {manifest.shape}, the task in another")
    if manifest.shape == "tool" and "/tool" not in heads:
        raise _broken(folder, "it has no head for the tool")
    for name, scope in manifest.scopes.items():
        if not (heads.issuperset(scope.choices) and spans.get(name, set()).issuperset(scope.spans)):
            raise _broken(folder, f"fields of scope {name!r} have no model")
