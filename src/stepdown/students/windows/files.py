"""The files of a window model: its words as JSON, its numbers as safetensors."""

from pathlib import Path

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stepdown.core.fingerprint import canonical_json
from stepdown.errors import ArtefactError
from stepdown.students.windows.grams import Grams
from stepdown.students.windows.model import WindowModel

__all__ = ["load_windows", "save_windows"]

_NAMES = "windows.json"
_NUMBERS = "windows.safetensors"


class _Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    paths: tuple[str, ...]
    grams: tuple[str, ...]


def save_windows(model: WindowModel, folder: Path) -> None:
    """Write `windows.json` and `windows.safetensors` into an existing folder."""
    described = _Description(model.paths, model.grams.names)
    (folder / _NAMES).write_bytes(canonical_json(described))
    arrays = {"idf": model.grams.idf, "weights": model.weights, "bias": model.bias}
    (folder / _NUMBERS).write_bytes(save(arrays))


def load_windows(folder: Path) -> WindowModel:
    """Read what `save_windows` wrote.

    Raises:
        ArtefactError: a file is missing or is not what it has to be.
    """
    try:
        described = msgspec.json.decode((folder / _NAMES).read_bytes(), type=_Description)
        arrays = load((folder / _NUMBERS).read_bytes())
        grams = Grams(described.grams, arrays["idf"])
        shapes = {
            "idf": (len(described.grams),),
            "weights": (grams.width, len(described.paths)),
            "bias": (len(described.paths),),
        }
        for name, shape in shapes.items():
            found = arrays[name]
            right = found.dtype == np.float32 and found.shape == shape
            if not right or not np.isfinite(found).all():
                raise ValueError(f"array {name!r} is not finite float32 {shape}")
    except (OSError, msgspec.DecodeError, SafetensorError, KeyError, ValueError) as error:
        raise ArtefactError(
            f"The windows of student {folder.name} can't be read ({error}); train the student again"
            " with `stepdown train`."
        ) from error
    return WindowModel(described.paths, grams, arrays["weights"], arrays["bias"])
