"""A tuned model as a GGUF file: the file that it came from, with other numbers in it.

Everything else (tokenizer, chat template, sizes) is copied. Only the llama architecture is written:
its query and key weights are permuted for llama.cpp's rotary embedding, as its converter does.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stepdown.errors import Unavailable

__all__ = ["can_write", "write_gguf"]

_ARCHITECTURE = "llama"
_BLOCK = 32


def can_write(config: Any) -> bool:
    """Say whether a model's architecture can be written."""
    return getattr(config, "model_type", "") == _ARCHITECTURE


def permuted(weights: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Return a query's or key's weights in the order in which llama.cpp rotates them."""
    shape = weights.shape
    halves = weights.reshape(heads, 2, shape[0] // heads // 2, *shape[1:])
    return halves.swapaxes(1, 2).reshape(shape)


def write_gguf(source: Path, state: Mapping[str, Any], config: Any, target: Path) -> None:
    """Write `target`: the file `source` with the tensors of `state`, products in 8 bits (Q8_0).

    Raises:
        Unavailable: the file has a tensor that the state lacks.
    """
    import gguf
    from gguf.quants import quantize

    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, _ARCHITECTURE)
    _copy_fields(reader, writer)
    own = _renamed(state, config)
    for tensor in reader.tensors:
        data = own.get(tensor.name)
        if data is None:
            raise Unavailable(
                f"The tuned model has no tensor {tensor.name}, so it can't be written as GGUF; "
                "start from safetensors."
            )
        if data.ndim < 2 or data.shape[-1] % _BLOCK:
            writer.add_tensor(tensor.name, np.ascontiguousarray(data))
            continue
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(tensor.name, quantize(np.ascontiguousarray(data), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _copy_fields(reader: Any, writer: Any) -> None:
    import gguf

    skipped = ("GGUF.", "general.architecture", "general.file_type")
    for field in reader.fields.values():
        if field.name.startswith(skipped):
            continue
        inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


def _renamed(state: Mapping[str, Any], config: Any) -> dict[str, NDArray[np.float32]]:
    import gguf

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    found: dict[str, NDArray[np.float32]] = {}
    for name, tensor in state.items():
        known = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if known is None:
            continue
        data: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
        if "attn_q." in known:
            data = permuted(data, config.num_attention_heads)
        elif "attn_k." in known:
            data = permuted(data, config.num_key_value_heads)
        found[known] = data
    return found
