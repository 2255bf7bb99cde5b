"""The causal language model that training starts from, and its tokenizer."""

import io
from contextlib import redirect_stderr
from typing import Any

import msgspec
import torch

from stepdown.errors import Unavailable
from stepdown.students.weights import Weights

__all__ = ["Causal", "load_causal"]


class Causal(msgspec.Struct, frozen=True):
    """A model in fp32 and its tokenizer."""

    model: Any
    tokenizer: Any


def load_causal(weights: Weights) -> Causal:
    """Load what `find_weights` found, safetensors or GGUF.

    Raises:
        Unavailable: it is no causal language model that transformers knows, or it is damaged.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    source: dict[str, Any] = {}
    if weights.format == "gguf":
        source["gguf_file"] = weights.files[0]
    try:
        # Reading GGUF draws a bar that no setting turns off.
        with redirect_stderr(io.StringIO()):
            tokenizer = AutoTokenizer.from_pretrained(weights.folder, **source)
            library: Any = AutoModelForCausalLM
            # A folder without safetensors would be unpickled; GGUF is a reader of its own.
            safe = {"use_safetensors": True} if weights.format == "safetensors" else source
            model: Any = library.from_pretrained(weights.folder, dtype=torch.float32, **safe)
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, NotImplementedError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise Unavailable(
            f"The model {weights.name} can't be loaded ({reason}); fetch it again or name another."
        ) from error
    if tokenizer.eos_token_id is None:
        raise Unavailable(
            f"The tokenizer of {weights.name} has no token for the end of an answer; name an "
            "instruction-tuned model."
        )
    # What came as GGUF is fp32 by now, and may be trained like any other.
    _unquantised(model)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Causal(model, tokenizer)


def _unquantised(model: Any) -> None:
    model.is_quantized, model.hf_quantizer = False, None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
