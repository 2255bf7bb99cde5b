"""What weights must be before they are used: whole, of the right architecture, and no program.

Not here: finding them (`weights.py`). Nothing in this module opens a pickle or allocates what a
file claims: a header is read, and compared with the file's size.
"""

import hashlib
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from stepdown.errors import Unavailable

__all__ = [
    "check_architecture",
    "check_gguf",
    "check_onnx",
    "check_safetensors",
    "is_pickle",
    "sha256_of",
]

_PICKLES = frozenset((".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib"))
_MOST_HEADER = 100_000_000
_GENERATORS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
_ENCODERS = frozenset(
    [
        *("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra"),
        *("mpnet", "modernbert", "roberta", "xlm-roberta"),
    ]
)


def is_pickle(path: Path) -> bool:
    """Say whether a file's name is that of pickled weights."""
    return path.suffix.lower() in _PICKLES


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read once as long as it does not change."""
    status = path.stat()
    return _sha256(str(path.resolve()), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=64)
def _sha256(path: str, size: int, changed: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_safetensors(path: Path) -> None:
    """Compare what the header of a safetensors file says with the file's size.

    Raises:
        Unavailable: the file is cut off, or is no safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_MOST_HEADER, size - 8):
            raise _damaged(path, "is cut off or is no safetensors file")
        header = file.read(length)
    try:
        tensors = msgspec.json.decode(header, type=dict[str, Any])
        ends = [int(t["data_offsets"][1]) for n, t in tensors.items() if n != "__metadata__"]
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError, ValueError) as error:
        raise _damaged(path, "has a header that can't be read") from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise _damaged(path, f"has {size:,} bytes where its header says {expected:,}")


def check_gguf(path: Path) -> None:
    """Check that a file begins as GGUF does.

    Raises:
        Unavailable: it does not.
    """
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise _damaged(path, "is no GGUF file")


def check_onnx(path: Path) -> None:
    """Check that a graph can be parsed and keeps all its numbers in its own file.

    Raises:
        Unavailable: it is damaged, or names external data: files that it would read from anywhere.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
        from onnx.external_data_helper import uses_external_data
    except ImportError as error:
        raise Unavailable(
            "Reading an ONNX file needs a package that is not installed; install stepdown[encoder]."
        ) from error
    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, ValueError, OSError) as error:
        raise _damaged(path, "is no ONNX model or is cut off") from error
    if not model.graph.node:
        raise _damaged(path, "holds no graph")
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        tensors = list(graph.initializer)
        for node in graph.node:
            for attribute in node.attribute:
                graphs += [attribute.g, *attribute.graphs] if attribute.HasField("g") else []
                tensors += [attribute.t, *attribute.tensors]
        if any(map(uses_external_data, tensors)):
            raise Unavailable(
                f"{path} names external data, which could be any file; export the model into one "
                "file and name that."
            )


def check_architecture(
    name: str, config: dict[str, Any], kind: str, types: Collection[str] = ()
) -> None:
    """Check a model's `config.json` against what the family can do.

    With `types`, its `model_type` has to be one of them; without, an encoder may be no generating
    model, and the other way round.

    Raises:
        Unavailable: it is of another architecture.
    """
    found = str(config.get("model_type", ""))
    classes = [str(c) for c in config.get("architectures") or ()]
    generates = any(c.endswith(_GENERATORS) for c in classes) or bool(config.get("is_decoder"))
    if types:
        fits = found in types
        wanted = ", ".join(sorted(types))
    elif kind == "encoder":
        fits = bool(found) and (found in _ENCODERS or not generates)
        fits = fits and not config.get("is_encoder_decoder")
        wanted = "an encoder, such as BERT"
    else:
        fits = generates or not (found in _ENCODERS or classes)
        wanted = "a model that generates text"
    if not fits:
        shown = found or "unknown"
        raise Unavailable(
            f"The model {name} is of the architecture {shown!r}, and this family needs {wanted}; "
            "name another model."
        )


def _damaged(path: Path, what: str) -> Unavailable:
    return Unavailable(f"{path} {what}; fetch the weights again.")
