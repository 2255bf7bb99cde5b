"""Novelty for families that have no vectors of their own: a sketch of the text's n-grams."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stepdown.core.datasets import Example
from stepdown.core.fingerprint import canonical_json
from stepdown.core.tasks import Input, Segment, input_text
from stepdown.errors import ArtefactError
from stepdown.students.features import Featurizer, Vocabulary
from stepdown.students.novelty.model import Novelty, Numbers, fit_novelty, restored
from stepdown.students.novelty.nearness import SKETCH, sketch

__all__ = ["TextNovelty", "fit_texts", "load_texts", "save_texts"]

_NAMES, _ARRAYS = "novelty.json", "novelty.safetensors"
_MOST_NGRAMS = 20_000
_FOLDS = 3


class _Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    words: tuple[str, ...]
    chars: tuple[str, ...]
    numbers: Numbers


class TextNovelty(msgspec.Struct, frozen=True):
    """The novelty model of some training texts, and the n-grams that it sees them by."""

    model: Novelty
    featurizer: Featurizer

    def score(self, given: Input) -> float:
        """Return the share of training inputs that are less novel than this one, in [0, 1]."""
        text = input_text(given)
        seen = self.featurizer.extract(_whole(text))
        return self.model.score(text, sketch(seen.ids, seen.weights))


def _whole(text: str) -> Input:
    return (Segment("user", text),)


def fit_texts(examples: Sequence[Example]) -> TextNovelty | None:
    """Return the model of the examples' inputs, None where they are too few; as `fit_novelty`."""
    texts = [input_text(example.input) for example in examples]
    if not texts:
        return None
    featurizer = Featurizer.fit([_whole(text) for text in texts], _MOST_NGRAMS, None)
    found = [featurizer.extract(_whole(text)) for text in texts]
    vectors = np.array([sketch(one.ids, one.weights) for one in found], np.float32)
    folds = np.array([example.kin % _FOLDS for example in examples], np.intp)
    model = fit_novelty(texts, vectors, folds)
    return TextNovelty(model, featurizer) if model is not None else None


def save_texts(novelty: TextNovelty | None, folder: Path) -> None:
    """Write the model's two files into an existing folder; nothing where there is none."""
    if novelty is None:
        return
    (vocabulary,) = novelty.featurizer.vocabularies
    described = _Described(tuple(vocabulary.words), tuple(vocabulary.chars), novelty.model.numbers)
    (folder / _NAMES).write_bytes(canonical_json(described))
    arrays = {"idf": vocabulary.idf, **novelty.model.arrays}
    (folder / _ARRAYS).write_bytes(save(arrays))


def load_texts(folder: Path) -> TextNovelty | None:
    """Return what `save_texts` wrote.

    Raises:
        ArtefactError: a file is missing or is not what it has to be.
    """
    if not (folder / _NAMES).is_file() and not (folder / _ARRAYS).is_file():
        return None
    try:
        found = msgspec.json.decode((folder / _NAMES).read_bytes(), type=_Described)
        arrays = load((folder / _ARRAYS).read_bytes())
        idf = arrays.pop("idf")
        if idf.shape != (len(found.words) + len(found.chars),) or idf.dtype != np.float32:
            raise ValueError("its weights are not those of its n-grams")
        vocabulary = Vocabulary(found.words, found.chars, idf)
        model = restored(found.numbers, arrays, SKETCH)
    except (OSError, msgspec.MsgspecError, SafetensorError, KeyError, ValueError) as error:
        raise ArtefactError(
            f"Student {folder.name} is damaged: its novelty model can't be read ({error}); train "
            "it again with `stepdown train`."
        ) from error
    return TextNovelty(model, Featurizer([vocabulary], None))
