"""What runs a language model: in this process with transformers or llama.cpp, or a server.

Engines are not shared: a model's key-value cache belongs to one prompt, so callers take turns.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from stepdown.errors import ArtefactError, Unavailable
from stepdown.students.generative.search import Ranked

__all__ = ["GGUF", "MODEL", "SERVER", "Engine", "EngineError", "Said", "open_engine"]

GGUF = "model.gguf"
MODEL = "model"
SERVER = "STEPDOWN_GENERATE_URL"
"""The environment variable that names an OpenAI-compatible server's root, such as vLLM's or
Ollama's, which then answers in place of the files."""


class EngineError(Exception):
    """The engine gave no answer: the student abstains."""


class Said(msgspec.Struct, frozen=True):
    """What a model wrote, and the natural logarithm of each token's probability.

    `ended` is False where it was cut off.
    """

    text: str
    logprobs: tuple[float, ...]
    ended: bool = True


class Engine(Protocol):
    """A loaded model.

    `piecewise` says that it can go on from any text; one that can't writes whole answers.
    """

    piecewise: bool

    def choose(self, prompt: str, options: Sequence[str], *, line: bool) -> Ranked | None:
        """Return which option is likeliest to follow; `line` says that options end their line."""
        ...

    def write(self, prompt: str, grammar: str | None, most: int) -> Said:
        """Go on from the prompt, as the grammar allows, for at most `most` tokens.

        Raises:
            EngineError: there is no answer.
        """
        ...

    def close(self) -> None:
        """Give back what the engine holds."""
        ...


def open_engine(folder: Path, server: str = "", model: str = "") -> Engine:
    """Return the engine for a student's files, or for a `server` that has its `model`.

    Raises:
        ArtefactError: the model's files are missing or damaged.
        Unavailable: the extra `generate` is not installed.
    """
    try:
        if server:
            from stepdown.students.generative.remote import RemoteEngine

            return RemoteEngine(server, model)
        if (folder / GGUF).is_file():
            from stepdown.students.generative.llama import LlamaEngine

            return LlamaEngine(folder / GGUF)
        if (folder / MODEL).is_dir():
            from stepdown.students.generative.local import load_local

            return load_local(folder / MODEL)
    except ImportError as error:
        raise Unavailable(
            f"The generative family needs {error.name}; install stepdown[generate]."
        ) from error
    raise ArtefactError(f"Student {folder.name} is damaged: it has no model; train it again.")
