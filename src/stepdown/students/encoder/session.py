"""An encoder ready to run: one text in, the states of its tokens out, on one thread.

Sessions of the same model are shared: several students of one process load it once. A text is
encoded alone, in windows of the model's length; nothing is batched, so that the same text always
gets the same states (reliability C-8: a dynamically quantised batch would share its scale).
"""

import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.fingerprint import digest
from stepdown.errors import ArtefactError, Unavailable

__all__ = ["Encoded", "Session", "frame_of", "open_session", "tokenizer_of", "windows_of"]

STATES = "states"
"""The graph's output: the last layer's states of the tokens, float32 [T, H]."""
WINDOW = 256
"""Tokens of one window, the two special ones included."""
MOST_WINDOWS = 8
"""A text's first windows are read: the time of one answer stays bounded."""

_WEIGHTS_BESIDE = "session.model_external_initializers_file_folder_path"


class Encoded(msgspec.Struct, frozen=True):
    """One text: `states` float32 [T, H] of its tokens, `places` [T, 2] where each stands in it.

    `pooled` float32 [H] is their mean, the special tokens' included.
    """

    states: NDArray[np.float32]
    places: NDArray[np.intp]
    pooled: NDArray[np.float32]


class Session:
    """A loaded encoder with its tokenizer; `model` and `tokenizer` are the bytes they came from."""

    def __init__(self, model: bytes, tokenizer: bytes) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.hash = digest(model + tokenizer)
        self._pieces = tokenizer_of(tokenizer)
        self._session = _session(model)
        self._last: tuple[str, Encoded] | None = None
        self._lock = threading.Lock()
        self._frame = frame_of(self._pieces)

    @property
    def size(self) -> int:
        """How many numbers a state has."""
        return int(self._session.get_outputs()[0].shape[-1])

    def encode(self, text: str) -> Encoded:
        """Return a text's states; the last one's are kept: heads and spans ask for the same.

        Raises:
            FloatingPointError: a state is not a finite number.
        """
        last = self._last
        if last is not None and last[0] == text:
            return last[1]
        made = self._encode(*windows_of(self._pieces, self._frame, text))
        if not np.isfinite(made.pooled).all():
            raise FloatingPointError("the encoder's states are not finite")
        self._last = (text, made)
        return made

    def _encode(self, windows: Sequence[Sequence[int]], places: NDArray[np.intp]) -> Encoded:
        states: list[NDArray[np.float32]] = []
        pooled = np.zeros(self.size, np.float32)
        for window in windows:
            found = self._run(np.array(window, np.int64))
            pooled += found.sum(axis=0)
            states.append(found[1:-1])
        tokens = sum(map(len, windows))
        return Encoded(np.concatenate(states), places, pooled / np.float32(tokens))

    def _run(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        # Several threads may ask; one at a time keeps to the one thread that a session has.
        with self._lock:
            return np.asarray(self._session.run([STATES], {"ids": ids})[0])


def frame_of(pieces: Any) -> tuple[int, int]:
    """Return the ids that a tokenizer puts before and behind every text.

    Raises:
        ArtefactError: it frames texts otherwise.
    """
    ids = pieces.encode("").ids
    if len(ids) != 2:
        raise ArtefactError(
            "The encoder's tokenizer does not put one special token before a text and one behind "
            "it, as BERT's does; name another model."
        )
    return ids[0], ids[1]


def windows_of(
    pieces: Any, frame: tuple[int, int], text: str
) -> tuple[list[list[int]], NDArray[np.intp]]:
    """Return the ids of a text's windows, framed, and where each piece stands: int [pieces, 2]."""
    # A lone surrogate cannot be encoded as UTF-8, which the tokenizer needs.
    clean = text.encode("utf-8", "replace").decode("utf-8")
    found = pieces.encode(clean, add_special_tokens=False)
    inner = WINDOW - 2
    ids: list[int] = found.ids[: inner * MOST_WINDOWS]
    starts = range(0, len(ids), inner) or [0]
    windows = [[frame[0], *ids[start : start + inner], frame[1]] for start in starts]
    return windows, np.array(found.offsets[: len(ids)], np.intp).reshape(-1, 2)


def tokenizer_of(data: bytes) -> Any:
    """Return the tokenizer of a tokenizer.json's bytes; it neither pads nor truncates.

    Raises:
        ArtefactError: it can't be read.
        Unavailable: the extra `encoder` is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise _absent("tokenizers") from error
    try:
        made: Any = Tokenizer.from_buffer(data)
    # The library raises bare Exception for whatever it can't read.
    except Exception as error:
        raise ArtefactError(f"The encoder's tokenizer can't be read ({error}).") from error
    made.no_padding()
    made.no_truncation()
    return made


def _session(model: bytes) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise _absent("onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    # A graph could name files beside the process as its weights; none is found here.
    options.add_session_config_entry(_WEIGHTS_BESIDE, "/dev/null/none")
    try:
        made = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    # Each kind of damage has its own class in the library's binary part.
    except Exception as error:
        reason = str(error).partition("\n")[0][:200]
        raise ArtefactError(
            f"The encoder's graph can't be loaded ({reason}); train the student again."
        ) from error
    names = {output.name for output in made.get_outputs()}
    if names != {STATES}:
        raise ArtefactError("The encoder's graph gives other outputs; train the student again.")
    return made


def _absent(module: str) -> Unavailable:
    return Unavailable(f"The encoder needs {module}; install stepdown[encoder].")


_open: WeakValueDictionary[str, Session] = WeakValueDictionary()
_opening = threading.Lock()


def open_session(model: bytes, tokenizer: bytes) -> Session:
    """Return the session of these bytes, the same one for the same bytes while anybody has it.

    Raises:
        ArtefactError: the graph or the tokenizer is damaged, or is another kind of model.
        Unavailable: the extra `encoder` is not installed.
    """
    key = digest(model + tokenizer)
    with _opening:
        found = _open.get(key)
        if found is None:
            found = _open[key] = Session(model, tokenizer)
        return found
