"""A BERT encoder as an ONNX graph, built from its safetensors; no torch.

The graph takes one text's token ids [T] and gives the last layer's states [T, H]. One text at a
time: activations are quantised by the range they have, so a batch would let one caller's text
change another's answer.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from stepdown.errors import Unavailable
from stepdown.students.encoder.session import STATES
from stepdown.students.weights import Weights

__all__ = ["bert_graph"]

_OPSET = 20
_IR_VERSION = 9
_BUILT = {"hidden_act": "gelu", "position_embedding_type": "absolute"}
"""What the graph computes, and what a model's config has to say where it says anything."""

Arrays = Mapping[str, NDArray[Any]]


class _Graph:
    """Nodes and constants in the making; every constant is added once."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def op(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        made = name or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [made], name=made, **attributes))
        return made

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant, once, and return its name."""
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name


class _Bert:
    """One model's weights and sizes, and how its parts become nodes."""

    def __init__(self, config: Mapping[str, Any], tensors: Arrays) -> None:
        self.graph = _Graph()
        self.tensors = tensors
        self.hidden = int(config["hidden_size"])
        self.heads = int(config["num_attention_heads"])
        self.layers = int(config["num_hidden_layers"])
        self.epsilon = float(config.get("layer_norm_eps", 1e-12))

    def norm(self, x: str, name: str) -> str:
        """Normalise a layer's output."""
        weight = self.graph.constant(f"{name}.w", self.tensors[f"{name}.weight"])
        bias = self.graph.constant(f"{name}.b", self.tensors[f"{name}.bias"])
        return self.graph.op("LayerNormalization", x, weight, bias, axis=-1, epsilon=self.epsilon)

    def linear(self, x: str, name: str, scale: float = 1.0) -> str:
        """Multiply with a weight matrix and add its bias."""
        weight = (self.tensors[f"{name}.weight"].T * scale).astype(np.float32)
        bias = (self.tensors[f"{name}.bias"] * scale).astype(np.float32)
        product = self.graph.op("MatMul", x, self.graph.constant(f"{name}.w", weight))
        return self.graph.op("Add", product, self.graph.constant(f"{name}.b", bias))

    def embeddings(self) -> str:
        """Look the ids up and add their places; all tokens are of the first segment."""
        graph, prefix = self.graph, "embeddings."
        words = graph.constant("words", self.tensors[f"{prefix}word_embeddings.weight"])
        places = (
            self.tensors[f"{prefix}position_embeddings.weight"]
            + self.tensors[f"{prefix}token_type_embeddings.weight"][0]
        )
        length = graph.op("Shape", "ids")
        zero = graph.constant("zero", np.zeros(1, np.int64))
        own = graph.op("Slice", graph.constant("places", places), zero, length)
        whole = graph.op("Add", graph.op("Gather", words, "ids"), own)
        return self.norm(whole, f"{prefix}LayerNorm")

    def _split(self, x: str, order: list[int]) -> str:
        shape = np.array([0, self.heads, self.hidden // self.heads], np.int64)
        parts = self.graph.op("Reshape", x, self.graph.constant("split", shape))
        return self.graph.op("Transpose", parts, perm=order)

    def layer(self, x: str, at: int) -> str:
        """Add one transformer layer."""
        graph, name = self.graph, f"encoder.layer.{at}."
        own = f"{name}attention.self."
        # The scores' scale goes into the query's weights.
        scale = float(self.hidden // self.heads) ** -0.5
        query = self._split(self.linear(x, f"{own}query", scale), [1, 0, 2])
        key = self._split(self.linear(x, f"{own}key"), [1, 2, 0])
        value = self._split(self.linear(x, f"{own}value"), [1, 0, 2])
        chances = graph.op("Softmax", graph.op("MatMul", query, key), axis=-1)
        mixed = graph.op("Transpose", graph.op("MatMul", chances, value), perm=[1, 0, 2])
        joined = graph.constant("join", np.array([0, self.hidden], np.int64))
        out = self.linear(graph.op("Reshape", mixed, joined), f"{name}attention.output.dense")
        x = self.norm(graph.op("Add", out, x), f"{name}attention.output.LayerNorm")
        wide = graph.op("Gelu", self.linear(x, f"{name}intermediate.dense"))
        out = self.linear(wide, f"{name}output.dense")
        return self.norm(graph.op("Add", out, x), f"{name}output.LayerNorm")


def bert_graph(weights: Weights) -> onnx.ModelProto:
    """Return the fp32 graph of a BERT model's weights.

    Raises:
        Unavailable: the weights lack a tensor that the architecture needs, or it is a variant.
    """
    config = weights.config or {}
    for key, built in _BUILT.items():
        if config.get(key, built) != built:
            raise Unavailable(
                f"The model {weights.name} has {key} {config[key]!r}, and this family computes "
                f"{built!r} alone; name another model."
            )
    tensors: dict[str, NDArray[Any]] = {}
    for name in weights.files:
        tensors.update(load_file(weights.folder / name))
    bare = {name.removeprefix("bert."): array.astype(np.float32) for name, array in tensors.items()}
    bert = _Bert(config, bare)
    try:
        x = bert.embeddings()
        for at in range(bert.layers):
            x = bert.layer(x, at)
    except KeyError as error:
        raise Unavailable(
            f"The weights of {weights.name} lack the tensor {error}, so they are not of a BERT "
            "encoder; name another model."
        ) from error
    bert.graph.op("Identity", x, name=STATES)
    outputs = [helper.make_tensor_value_info(STATES, TensorProto.FLOAT, ["T", bert.hidden])]
    inputs = [helper.make_tensor_value_info("ids", TensorProto.INT64, ["T"])]
    made = helper.make_graph(
        bert.graph.nodes, "bert", inputs, outputs, list(bert.graph.constants.values())
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    return helper.make_model(made, opset_imports=opsets, ir_version=_IR_VERSION)
