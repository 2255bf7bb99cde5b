"""Where a fine-tuned student starts: the pre-trained encoder, its tokenizer, and the device.

Whatever the libraries would print or warn of is settled here; what can't be had is `Unavailable`.
"""

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import msgspec
import torch

from stepdown.errors import Unavailable
from stepdown.students.encoder.session import WINDOW
from stepdown.students.tuned.settings import DEVICE
from stepdown.students.weights import Weights

__all__ = ["Base", "device_of", "load_base", "memory_checked"]

_NO_ROOM = ("out of memory", "can't allocate memory", "not enough memory")


class Base(msgspec.Struct, frozen=True):
    """A pre-trained encoder, its tokenizer's file, and the id of the padding sub-word."""

    encoder: Any
    tokenizer: bytes
    filler: int


def load_base(weights: Weights) -> Base:
    """Load what `find_weights` found.

    Raises:
        Unavailable: it is no encoder that transformers knows, its weights do not fit it, it has no
            fast tokenizer, or it reads less than one window.
    """
    from transformers import AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if weights.format != "safetensors":
        raise Unavailable(
            f"The weights of {weights.name} are {weights.format}, which can't be trained; name a "
            "model published as safetensors."
        )
    try:
        encoder, report = AutoModel.from_pretrained(
            weights.folder,
            dtype=torch.float32,
            use_safetensors=True,
            attn_implementation="eager",
            output_loading_info=True,
        )
        tokenizer = _tokenizer(weights)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        raise _unloadable(weights.name, error) from error
    _check(weights.name, encoder.config, report["missing_keys"])
    return Base(encoder, tokenizer, encoder.config.pad_token_id or 0)


def _tokenizer(weights: Weights) -> bytes:
    """Return a fast tokenizer's file; one that was not published as such is converted."""
    path = weights.folder / "tokenizer.json"
    if path.is_file():
        return path.read_bytes()
    from transformers import AutoTokenizer

    made = AutoTokenizer.from_pretrained(weights.folder, use_fast=True)
    backend = getattr(made, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(f"there is no tokenizer.json in {weights.folder}")
    return backend.to_str().encode()


def _check(name: str, config: Any, missing: Iterable[str]) -> None:
    absent = [key for key in missing if "pooler" not in key]
    if absent:
        raise Unavailable(
            f"The weights of {name} lack {len(absent)} arrays of its architecture "
            f"({min(absent)}, for one); fetch them again or name another encoder."
        )
    if (getattr(config, "max_position_embeddings", None) or WINDOW) < WINDOW:
        raise Unavailable(
            f"The model {name} reads {config.max_position_embeddings} sub-words at a time and "
            f"{WINDOW} are needed; name another encoder."
        )


def _unloadable(name: str, error: Exception) -> Unavailable:
    reason = str(error).strip().partition("\n")[0]
    return Unavailable(
        f"The model {name} can't be loaded ({reason}); fetch it again or name another encoder."
    )


def device_of(asked: str | None = None) -> torch.device:
    """Return the device asked for, by the environment where None; "" is the GPU if there is one.

    Raises:
        Unavailable: it is not there, or it is no device.
    """
    asked = os.environ.get(DEVICE, "") if asked is None else asked
    if not asked:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(asked)
    except RuntimeError as error:
        raise Unavailable(f"{DEVICE}={asked} names no device; say cpu, cuda or cuda:1.") from error
    here = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device.type not in ("cpu", "cuda") or (
        device.type == "cuda" and (device.index or 0) >= here
    ):
        raise Unavailable(
            f"{DEVICE}={asked} asks for a device that is not there; leave it out to train on what "
            "is, or install torch for your GPU."
        )
    return device


@contextmanager
def memory_checked(what: str) -> Generator[None]:
    """Turn running out of memory within the block into `Unavailable`."""
    try:
        yield
    except MemoryError as error:
        raise _full(what) from error
    except RuntimeError as error:
        # torch has a class of its own for a full GPU alone.
        if any(sign in str(error).lower() for sign in _NO_ROOM):
            raise _full(what) from error
        raise


def _full(what: str) -> Unavailable:
    return Unavailable(
        f"There was not enough memory for {what}; start from a smaller model, or use a machine "
        "with more."
    )
