"""Which engine runs a student's model: transformers or llama.cpp in this process, or a server."""

from pathlib import Path

from stepdown.errors import ArtefactError, Unavailable
from stepdown.students.generative.port import Engine

__all__ = ["GGUF", "SERVER", "model_files", "open_engine"]

GGUF = "model.gguf"
_CONFIG = "config.json"
_PARTS = (
    "*config.json",
    "model*.safetensors*",
    "*token*",
    "*.jinja",
    "vocab.*",
    "merges.txt",
    "*.model",
)
SERVER = "STEPDOWN_GENERATE_URL"
"""The environment variable that names an OpenAI-compatible server's root, such as vLLM's or
Ollama's, which then answers in place of the files."""


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
        if (folder / _CONFIG).is_file():
            from stepdown.students.generative.local import load_local

            return load_local(folder)
    except ImportError as error:
        raise Unavailable(
            f"The generative family needs {error.name}; install stepdown[generate]."
        ) from error
    raise ArtefactError(f"Student {folder.name} is damaged: it has no model; train it again.")


def model_files(folder: Path) -> list[Path]:
    """Return the model's own files among those of a student."""
    if (folder / GGUF).is_file():
        return [folder / GGUF]
    return sorted({path for part in _PARTS for path in folder.glob(part) if path.is_file()})
