"""What the encoder family sees of a text: weighted n-grams beside the encoder's pooled state.

The pooled state is scaled to length 1, centred on the training rows' mean and weighted by 1.5: by
cross-validation on training rows (Banking77, four folds) centring gains 0.4 points over the plain
state, and the middle layers' states or static vectors beside it gain nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stepdown.core.ports import Progress, silent
from stepdown.core.tasks import Input, input_text
from stepdown.students.encoder.session import Session
from stepdown.students.features import Features, Featurizer

__all__ = ["WEIGHT", "EncoderLook", "fitted"]

WEIGHT = np.float32(1.5)
"""The length of a pooled state beside the n-grams, whose blocks have length 1."""
_EVERY = 100


def _direction(pooled: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.sqrt(pooled @ pooled))
    return pooled / np.float32(length) if length > 0 else pooled


class EncoderLook(Featurizer):
    """A featurizer whose dense vectors are an encoder's pooled states; `mean` is float32 [H].

    `known` holds the directions of the training texts while training lasts.
    """

    def __init__(self, ngrams: Featurizer, session: Session, mean: NDArray[np.float32]) -> None:
        super().__init__(ngrams.vocabularies, None)
        self.session = session
        self.mean = mean
        self.dense_size = session.size
        self.origin = mean * WEIGHT
        self.known: dict[str, NDArray[np.float32]] = {}

    def extract(self, given: Input) -> Features:
        """Return the features of one input; the states stay in the session for the spans."""
        bare = super().extract(given)
        text = input_text(given)
        # While training every text is asked for twice, and encoding it is what takes time.
        direction = self.known.get(text)
        if direction is None:
            direction = _direction(self.session.encode(text).pooled)
        dense = (direction - self.mean) * WEIGHT
        return Features(bare.ids, bare.weights, dense, bare.words, bare.known)


def fitted(
    ngrams: Featurizer,
    session: Session,
    inputs: Sequence[Input],
    progress: Progress = silent,
    *,
    centred: bool = True,
) -> EncoderLook:
    """Return the look of these training inputs; if `centred`, less their mean direction."""
    known: dict[str, NDArray[np.float32]] = {}
    total = np.zeros(session.size, np.float64)
    for at, given in enumerate(inputs, 1):
        text = input_text(given)
        known[text] = _direction(session.encode(text).pooled)
        total += known[text]
        if at % _EVERY == 0 or at == len(inputs):
            progress("encoding", at, len(inputs))
    mean = (centred * total / max(len(inputs), 1)).astype(np.float32)
    look = EncoderLook(ngrams, session, mean)
    look.known = known
    return look
