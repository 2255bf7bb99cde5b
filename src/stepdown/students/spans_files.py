"""A span model's files: weights as safetensors, everything else as JSON."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stepdown.core.normalise import normaliser_of
from stepdown.errors import ArtefactError
from stepdown.students.crf import Crf
from stepdown.students.spans_features import Layout, Lexicon
from stepdown.students.spans_model import SpanField, SpanLayer, SpanModel

__all__ = ["load_spans", "save_spans"]


class _Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A layer's names; `features[i]` is the feature of row i of its emissions."""

    fields: tuple[SpanField, ...]
    labels: tuple[str, ...]
    features: tuple[str, ...]
    lexicon: Lexicon


class _Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The JSON file."""

    layers: tuple[_Layer, ...]
    layout: Layout
    unread: tuple[SpanField, ...]


def save_spans(model: SpanModel, folder: Path, name: str) -> None:
    """Write `<name>.json` and `<name>.safetensors` into an existing folder."""
    arrays: dict[str, NDArray[Any]] = {}
    layers: list[_Layer] = []
    for at, layer in enumerate(model.layers):
        crf = layer.crf
        layers.append(_Layer(layer.fields, crf.labels, tuple(crf.rows), layer.lexicon))
        arrays[f"emissions.{at}"] = crf.emissions
        arrays[f"transitions.{at}"] = crf.transitions
        arrays[f"start.{at}"] = crf.start
    described = _Description(tuple(layers), model.layout, model.unread)
    (folder / f"{name}.json").write_bytes(msgspec.json.encode(described))
    (folder / f"{name}.safetensors").write_bytes(save(arrays))


def _layer(layer: _Layer, at: int, arrays: dict[str, NDArray[Any]]) -> SpanLayer:
    """Put one layer together.

    Raises:
        KeyError: an array is missing.
        ValueError: names and arrays don't belong together.
    """
    rows = {feature: row for row, feature in enumerate(layer.features)}
    width = len(layer.labels)
    shapes = {"emissions": (len(rows), width), "transitions": (width, width), "start": (width,)}
    own = {name: arrays[f"{name}.{at}"] for name in shapes}
    for name, shape in shapes.items():
        if own[name].shape != shape or not np.isfinite(own[name]).all():
            raise ValueError(f"{name} of layer {at} has the wrong shape or values")
    begins, insides = layer.labels[1::2], layer.labels[2::2]
    paired = [f"I-{label[2:]}" for label in begins] == list(insides)
    if layer.labels[:1] != ("O",) or not paired or len(begins) != len(layer.fields):
        raise ValueError(f"the labels of layer {at} are not those of its fields")
    crf = Crf(layer.labels, rows, own["emissions"], own["transitions"], own["start"])
    return SpanLayer(layer.fields, crf, layer.lexicon)


def load_spans(folder: Path, name: str) -> SpanModel:
    """Read what `save_spans` wrote.

    Raises:
        ArtefactError: a file is missing, damaged, or names a normaliser that doesn't exist.
    """
    try:
        if Path(name).name != name:
            raise ValueError("its name leads out of the folder")
        described = msgspec.json.decode((folder / f"{name}.json").read_bytes(), type=_Description)
        arrays = load((folder / f"{name}.safetensors").read_bytes())
        layers = [_layer(layer, at, arrays) for at, layer in enumerate(described.layers)]
        model = SpanModel(tuple(layers), described.layout, described.unread)
        for field in model.fields:
            normaliser_of(field.normaliser)
    except (OSError, msgspec.DecodeError, SafetensorError, KeyError, ValueError) as error:
        raise ArtefactError(
            f"The span model {name!r} in {folder} can't be read ({error}); train the student again."
        ) from error
    return model
