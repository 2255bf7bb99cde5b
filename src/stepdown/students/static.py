"""Static word vectors: the WordLlama table, read straight from its installed package.

Not here: downloading anything, and WordLlama's own loader, which wants the model hub. The table is
16 MB, so a student does not carry a copy of it: it records the table's hash, and every student in
one process shares one table.
"""

import importlib.util
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from stepdown.core.fingerprint import digest
from stepdown.errors import ArtefactError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["StaticTable", "find_static", "require_static"]

_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_TENSOR = "embedding.weight"
_LONGEST = 64
"""Characters of one white-space token that are looked at: longer ones are keys, links and noise."""
_REMEMBERED = 1 << 16


class StaticTable:
    """Token vectors, float32 [tokens, size], with their tokenizer; `hash` names both.

    A text's vector is the sum of the vectors of its white-space tokens' pieces, scaled to length 1.
    Each white-space token is cut into pieces alone, so the pieces of a word are looked up once.
    """

    def __init__(self, vectors: NDArray[np.float32], tokenizer: "Tokenizer", name: str) -> None:
        self.vectors = vectors
        self.hash = name
        self._tokenizer = tokenizer
        self._pieces: dict[str, bytes] = {}

    @property
    def size(self) -> int:
        """How many numbers a vector has."""
        return self.vectors.shape[1]

    def _cut(self, token: str) -> bytes:
        # A lone surrogate cannot be encoded as UTF-8, which the tokenizer needs.
        clean = token[:_LONGEST].encode("utf-8", "replace").decode("utf-8")
        found = self._tokenizer.encode(clean, add_special_tokens=False).ids
        pieces = np.array(found, np.intp).tobytes()
        if len(self._pieces) >= _REMEMBERED:
            self._pieces.clear()
        self._pieces[token[:_LONGEST]] = pieces
        return pieces

    def _ids(self, tokens: Iterable[str]) -> NDArray[np.intp]:
        known = self._pieces
        parts = [known.get(token[:_LONGEST]) or self._cut(token) for token in tokens]
        return np.frombuffer(b"".join(parts), np.intp)  # bytes are joined quicker than arrays

    def embed(self, tokens: Sequence[str]) -> NDArray[np.float32]:
        """Return the vector of a text given as its lower-case white-space tokens.

        It has length 1, or is all zeros where the text has no token.
        """
        ids = self._ids(tokens)
        total: NDArray[np.float32] = np.add.reduce(self.vectors.take(ids, axis=0), axis=0)
        length = math.sqrt(total.dot(total))
        if length > 0:
            total /= length
        return total


def _package_folder() -> Path | None:
    spec = importlib.util.find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _read_table(folder: Path) -> StaticTable | None:
    weights, pieces = folder / _WEIGHTS, folder / _TOKENIZER
    if importlib.util.find_spec("tokenizers") is None or not (
        weights.is_file() and pieces.is_file()
    ):
        return None
    from tokenizers import Tokenizer

    try:
        tensors: dict[str, NDArray[Any]] = load_file(weights)
        vectors = tensors[_TENSOR].astype(np.float32)
    except (SafetensorError, KeyError, OSError):
        return None
    name = digest(weights.read_bytes() + pieces.read_bytes())
    return StaticTable(vectors, Tokenizer.from_file(str(pieces)), name)


@lru_cache(maxsize=1)
def find_static() -> StaticTable | None:
    """Return the installed table, read once per process, or None where the extra is missing."""
    folder = _package_folder()
    return _read_table(folder) if folder else None


def require_static(name: str) -> StaticTable:
    """Return the table whose hash is `name`.

    Raises:
        ArtefactError: it is not installed, or another version of it is.
    """
    table = find_static()
    if table is None:
        raise ArtefactError(
            "This student was trained with static word vectors, which are not installed here; "
            "install stepdown[static] or train the student again."
        )
    if table.hash != name:
        raise ArtefactError(
            "This student was trained with another version of the static word vectors; install "
            "the version of wordllama it was trained with, or train the student again."
        )
    return table
