"""The tuned encoder as an int8 ONNX graph, checked to decide as the network did.

Two checks: the exact graph computes the network's states, and the quantised one decides nearly all
held-out texts as the exact one does. Where rounding costs more, the exact graph is kept.
"""

import logging
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stepdown.errors import Unavailable
from stepdown.students.encoder.quantise import quantise
from stepdown.students.encoder.session import STATES, WINDOW, Session, open_session
from stepdown.students.tuned.network import Batch, Network
from stepdown.students.tuned.windows import Cutter

__all__ = ["Exported", "export", "heads_of"]

_OPSET = 18
_CLOSE = 1e-3
"""How far exact states may be from the network's, as a share of the largest."""
_SAME = 0.95
"""The least share of decisions that rounding may leave as they are."""
_TEXTS = 200


class Heads(msgspec.Struct, frozen=True):
    """The linear maps on top: directions → choices [H, classes], states → tags [H, labels]."""

    choices: NDArray[np.float32]
    choice_bias: NDArray[np.float32]
    tags: NDArray[np.float32]
    tag_bias: NDArray[np.float32]


class Exported(msgspec.Struct, frozen=True):
    """A session of the graph; `same` is the share of decisions that rounding left as they were.

    `rounded` is False where that was too few, so that the session's graph is the exact one.
    """

    session: Session
    heads: Heads
    same: float
    rounded: bool


class _States(nn.Module):
    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, ids: Tensor) -> Tensor:
        one = ids.unsqueeze(0)
        found = self.encoder(input_ids=one, attention_mask=torch.ones_like(one))
        return found.last_hidden_state[0]


def heads_of(network: Network) -> Heads:
    """Return the network's linear maps; a direction's length is folded into the choices'."""

    def plain(tensor: Tensor) -> NDArray[np.float32]:
        return np.ascontiguousarray(tensor.detach().float().cpu().numpy())

    classes, labels = network.design.classes, network.design.labels
    return Heads(
        plain(network.choices.weight[:classes].T * network.scale),
        plain(network.choices.bias[:classes]),
        plain(network.tags.weight[:labels].T),
        plain(network.tags.bias[:labels]),
    )


def export(network: Network, tokenizer: bytes, texts: Sequence[str], name: str) -> Exported:
    """Export the encoder; `texts` are held out, and decide whether rounding is good enough.

    Raises:
        Unavailable: the architecture can't be exported, or its graph computes something else.
    """
    network = network.eval().cpu()
    graph = _graph(network, name)
    exact = open_session(graph.SerializeToString(), tokenizer)
    some = texts[:: max(1, len(texts) // _TEXTS)][:_TEXTS]
    _check(network, exact, tokenizer, some[:8], name)
    heads = heads_of(network)
    rounded = open_session(quantise(graph), tokenizer)
    same = agreement(exact, rounded, heads, some)
    kept = rounded if same >= _SAME else exact
    return Exported(kept, heads, same, rounded=same >= _SAME)


def _graph(network: Network, name: str) -> onnx.ModelProto:
    root, own = logging.getLogger(), logging.getLogger("torch.onnx")
    levels = root.level, own.level
    length = torch.export.Dim("T", min=2, max=WINDOW)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The exporter warns of its own inner workings.
        warnings.simplefilter("ignore")
        root.setLevel(logging.ERROR)
        own.setLevel(logging.ERROR)
        path = Path(folder) / "exact.onnx"
        try:
            torch.onnx.export(
                _States(network.encoder).eval(),
                (torch.full((7,), 1, dtype=torch.long),),
                path,
                input_names=["ids"],
                output_names=[STATES],
                dynamo=True,
                dynamic_shapes={"ids": {0: length}},
                opset_version=_OPSET,
                external_data=False,
                verbose=False,
            )
        # Whatever the exporter trips over has a class of its own.
        except Exception as error:
            reason = str(error).strip().partition("\n")[0][:200]
            raise Unavailable(
                f"The model {name} can't be exported ({reason}); start from another encoder."
            ) from error
        finally:
            root.setLevel(levels[0])
            own.setLevel(levels[1])
        return onnx.load(path)


def _check(
    network: Network, exact: Session, tokenizer: bytes, texts: Sequence[str], name: str
) -> None:
    from stepdown.students.tuned.design import Lesson

    cutter = Cutter(tokenizer)
    for text in texts:
        cut = cutter.cut(text)
        lesson = Lesson(0, msgspec.structs.replace(cut, windows=cut.windows[:1]), {}, {})
        with torch.no_grad():
            _, states = network(Batch([lesson], 0, torch.device("cpu")))
        inside = states[0, 1:-1].numpy()
        found = exact.encode(text).states[: len(inside)]
        gap = float(np.abs(found - inside).max(initial=0.0))
        if gap > _CLOSE * float(np.abs(inside).max(initial=1.0)):
            raise Unavailable(
                f"The exported graph of {name} does not compute what was trained (its states "
                f"differ by {gap:.3g}); start from another encoder."
            )


def agreement(exact: Session, rounded: Session, heads: Heads, texts: Sequence[str]) -> float:
    """Return the smaller share of choices and of pieces' tags that both sessions decide alike."""
    shares: list[float] = []
    pairs = [(exact.encode(text), rounded.encode(text)) for text in texts]
    if heads.choices.shape[1]:
        pooled = (np.array([pair[at].pooled for pair in pairs]) for at in (0, 1))
        sure, other = (_direction(p) @ heads.choices + heads.choice_bias for p in pooled)
        shares.append(_alike(sure, other))
    if heads.tags.shape[1]:
        states = (np.concatenate([pair[at].states for pair in pairs]) for at in (0, 1))
        sure, other = (found @ heads.tags + heads.tag_bias for found in states)
        shares.append(_alike(sure, other))
    return min(shares, default=1.0)


def _direction(pooled: NDArray[np.float32]) -> NDArray[np.float32]:
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the share of rows with the same likeliest column; 1 of none."""
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean()) if len(one) else 1.0
