"""Training with a frozen encoder: find the weights, quantise, encode, then fit the linear heads."""

from collections.abc import Sequence
from functools import lru_cache

from stepdown.core.datasets import Example
from stepdown.core.ports import Progress
from stepdown.core.tasks import Input, Task
from stepdown.errors import Unavailable
from stepdown.students.encoder.graph import bert_graph
from stepdown.students.encoder.look import EncoderLook, fitted
from stepdown.students.encoder.quantise import quantise
from stepdown.students.encoder.session import Session, open_session
from stepdown.students.encoder.spans import train_encoder_spans
from stepdown.students.encoder.student import EncoderStudent
from stepdown.students.features import Featurizer
from stepdown.students.linear.training import train_linear
from stepdown.students.weights import Weights, find_weights

__all__ = ["session_of", "train_encoder"]

_TYPES = ("bert",)
_TOKENIZER = "tokenizer.json"


@lru_cache(maxsize=2)
def _quantised(folder: str, sha256: str, name: str) -> bytes:
    """Return the int8 graph of weights; kept, since tasks are trained one after another."""
    return quantise(bert_graph(find_weights(name, "encoder", _TYPES, sha256)))


def session_of(model: str) -> Session:
    """Return the int8 session of a model by name.

    Raises:
        Unavailable: its weights or its tokenizer are missing, damaged or of another architecture.
    """
    weights: Weights = find_weights(model, "encoder", _TYPES)
    path = weights.folder / _TOKENIZER
    if not path.is_file():
        raise Unavailable(
            f"The model {model} has no {_TOKENIZER} in {weights.folder}; put the one it was "
            "published with there."
        )
    if weights.format != "safetensors":
        raise Unavailable(
            f"The weights of {model} are {weights.format}; the encoder family builds its graph "
            "from safetensors: name a model that has them."
        )
    graph = _quantised(str(weights.folder), weights.sha256, model)
    return open_session(graph, path.read_bytes())


def train_encoder(
    task: Task, examples: Sequence[Example], model: str, progress: Progress
) -> EncoderStudent:
    """Return a student of `task` with the frozen encoder of that name.

    Raises:
        NotEnoughData: too few examples, or answers that no head can write.
        Unavailable: the model's weights are missing or damaged.
    """
    session = session_of(model)
    looks: list[EncoderLook] = []

    def look(ngrams: Featurizer, inputs: Sequence[Input]) -> Featurizer:
        looks.append(fitted(ngrams, session, inputs, progress))
        return looks[-1]

    inner = train_linear(task, examples, None, progress, look, train_encoder_spans(session))
    looks[-1].known.clear()
    return EncoderStudent(inner, looks[-1])
