"""A complexity score on disk: one JSON file, one of tensors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import (
    load_file,  # pyright: ignore[reportUnknownVariableType]
    save_file,  # pyright: ignore[reportUnknownVariableType]
)

from stepdown.core.fingerprint import canonical_json
from stepdown.errors import ArtefactError
from stepdown.route.features import GRAMS, SHAPE, Vectors
from stepdown.route.report import Report
from stepdown.route.score import Calibration, Score

__all__ = ["Saved", "load_report", "load_score", "save_score"]

_FORM, _TENSORS = "score.json", "score.safetensors"


class Saved(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`score.json`: the features by name, the static vectors' hash ("": none), the calibration."""

    shape: tuple[str, ...]
    grams: int
    vectors: str
    calibration: Calibration
    report: Report


def save_score(score: Score, report: Report, folder: Path) -> None:
    """Write the score and its report into an existing folder."""
    saved = Saved(
        SHAPE, GRAMS, score.vectors.hash if score.vectors else "", score.calibration, report
    )
    (folder / _FORM).write_bytes(canonical_json(saved))
    tensors = {"weights": score.weights, "means": score.means, "scales": score.scales}
    save_file(tensors, folder / _TENSORS)


def load_report(folder: Path) -> Report:
    """Return the report of a saved score.

    Raises:
        ArtefactError: it can't be read.
    """
    return _form(folder).report


def load_score(folder: Path, find_vectors: Callable[[], Vectors | None]) -> Score:
    """Return a saved score; `find_vectors` is asked for the static vectors if it uses some.

    Raises:
        ArtefactError: a file is not what it has to be, or the vectors are not there.
    """
    saved = _form(folder)
    if saved.shape != SHAPE or saved.grams != GRAMS:
        raise _unfit("it was fitted by another version")
    vectors = find_vectors() if saved.vectors else None
    if saved.vectors and (vectors is None or vectors.hash != saved.vectors):
        raise _unfit("the static word vectors that it was fitted with are not installed")
    try:
        tensors: dict[str, NDArray[Any]] = load_file(folder / _TENSORS)
        weights, means, scales = (tensors[name] for name in ("weights", "means", "scales"))
    except (OSError, SafetensorError, KeyError) as error:
        raise _unfit("its tensors can't be read") from error
    size = len(SHAPE) + GRAMS + (vectors.size if vectors else 0) + 1
    sizes = [part.shape for part in (weights, means, scales)]
    if sizes != [(size,), (len(SHAPE),), (len(SHAPE),)] or not np.isfinite(weights).all():
        raise _unfit("its tensors are not of the size that they have to be")
    return Score(weights, (means, scales), saved.calibration, vectors)


def _form(folder: Path) -> Saved:
    try:
        return msgspec.json.decode((folder / _FORM).read_bytes(), type=Saved)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unfit(f"{_FORM} can't be read") from error


def _unfit(why: str) -> ArtefactError:
    return ArtefactError(
        f"The complexity score can't be used: {why}; fit it again with `stepdown routing`."
    )
