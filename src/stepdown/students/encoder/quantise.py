"""Dynamic int8 quantisation: weights stored in 8 bits, activations quantised as they come."""

import logging
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

__all__ = ["is_quantised", "quantise"]

_INTEGER_OPS = frozenset(("MatMulInteger", "DynamicQuantizeLinear"))


def quantise(model: onnx.ModelProto) -> bytes:
    """Return the model with its matrix products in int8, one scale a channel."""
    root = logging.getLogger()
    level = root.level
    with tempfile.TemporaryDirectory() as folder:
        exact, small = Path(folder) / "exact.onnx", Path(folder) / "small.onnx"
        onnx.save(model, exact)
        # It warns through the root logger that a model without shapes could be prepared.
        root.setLevel(logging.ERROR)
        try:
            quantize_dynamic(
                exact,
                small,
                per_channel=True,
                weight_type=QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gather"],
                extra_options={"MatMulConstBOnly": True},
            )
        finally:
            root.setLevel(level)
        return small.read_bytes()


def is_quantised(data: bytes) -> bool:
    """Say whether a model's products run in integers: "int8" files are often weight-only."""
    kinds = {node.op_type for node in onnx.load_from_string(data).graph.node}
    return kinds >= _INTEGER_OPS
