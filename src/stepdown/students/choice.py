"""The choice head: one of a closed set of values, by one linear model on n-grams and vectors.

How it is trained is in `choice_training`; serving does not need what that needs.
"""

import math
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.students.features import Features

__all__ = ["ABSENT", "FREE", "Choice", "ChoiceHead", "Labels", "Mark", "best_of"]


class Mark(msgspec.Struct, frozen=True):
    """A class that is no JSON value."""

    name: str


ABSENT = Mark("absent")
"""The class of records that do not have the field."""

FREE = Mark("free")
"""The class of records whose field holds something that no student of this family can write."""


class Labels(msgspec.Struct, frozen=True):
    """The classes of a head, most frequent first: JSON values, or a `Mark`."""

    values: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.values)


class Choice(msgspec.Struct, frozen=True):
    """What a head decided: the class index, its probability, and how clear-cut that was.

    `log_ratio` is ln(p1 / p2) of the two likeliest classes, `entropy` that of all (nats), `claim`
    the decision value of the likeliest: low where no class claims the text (0 of a single class).
    """

    index: int
    probability: float
    log_ratio: float
    entropy: float
    claim: float = 0.0


_CERTAIN = Choice(0, 1.0, 20.0, 0.0)
_MOST_LOG_RATIO = 20.0


class ChoiceHead(msgspec.Struct, frozen=True):
    """A trained head: the softmax of `logits` is each class's probability.

    `ngrams` is float32 [features, classes], `dense` [vectors, classes], `bias` [classes]. A head of
    one class has no weights and is always certain.
    """

    labels: Labels
    ngrams: NDArray[np.float32]
    dense: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: Features) -> NDArray[np.float32]:
        """Return the decision values [classes] of one text; the hot path."""
        # `dot`, since `@` takes twice as long for so little.
        total = features.weights.dot(self.ngrams.take(features.ids, axis=0))
        total += self.bias
        if len(features.dense):
            total += features.dense.dot(self.dense)
        return total

    def choose(self, features: Features) -> Choice:
        """Return the likeliest class of one text."""
        if len(self.labels) == 1:
            return _CERTAIN
        return best_of(self.logits(features))


def best_of(logits: NDArray[Any]) -> Choice:
    """Return the likeliest class of some logits [classes], at least two."""
    index = int(logits.argmax())
    claim = float(logits[index])
    shifted = logits - logits[index]
    chances = np.exp(shifted)
    total = float(np.add.reduce(chances))
    finite = np.maximum(shifted, -_MOST_LOG_RATIO)
    entropy = math.log(total) - float(chances.dot(finite)) / total
    shifted[index] = -np.inf
    log_ratio = min(-float(np.maximum.reduce(shifted)), _MOST_LOG_RATIO)
    return Choice(index, 1.0 / total, log_ratio, max(entropy, 0), claim)
