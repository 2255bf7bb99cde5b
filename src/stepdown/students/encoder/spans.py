"""Spans read with an encoder: its token states add to the scores of the CRF's words.

For each layer of a span model a logistic regression tells a token's label from its state; the log
of its probability over the label's share is added to the CRF's own score of that token, and the
CRF's transitions and decoding stay as they are.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from stepdown.core.anatomy import Field
from stepdown.core.ports import Progress, silent
from stepdown.students.encoder.session import Encoded, Session
from stepdown.students.spans import train_spans
from stepdown.students.spans_features import Places, tokenise
from stepdown.students.spans_labels import label_fields, tags
from stepdown.students.spans_model import SpanField, SpanGuess, SpanLayer, SpanModel

__all__ = ["Emission", "EncoderSpans", "train_encoder_spans"]

Floats = NDArray[np.float64]

_SHARE = 0.5
"""How much a state's evidence counts beside the words'; of 0 to 1, best on SNIPS training rows."""
_C = 1.0
_MOST_TOKENS = 60_000
_LEAST_TOKENS = 20
_FLOOR = 1e-6


class Emission(msgspec.Struct, frozen=True):
    """One layer's regression: `weights` float32 [H, labels], `bias` float32 [labels].

    Labels stand as in the layer's CRF: O, then B and I of each field. All zero says nothing.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, states: NDArray[np.float32]) -> Floats:
        """Return what the states [T, H] add to the scores [T, labels] of the layer."""
        return (_SHARE * (states @ self.weights + self.bias)).astype(np.float64)


class EncoderSpans(msgspec.Struct, frozen=True):
    """A span model with an emission for each of its layers, and the session that feeds them."""

    model: SpanModel
    emissions: tuple[Emission, ...]
    session: Session

    @property
    def fields(self) -> tuple[SpanField, ...]:
        """All fields."""
        return self.model.fields

    def predict(self, text: str) -> dict[str, SpanGuess]:
        """Return a guess for every field: path → guess."""
        return self.model.predict(text, self._added(text))

    def _added(self, text: str) -> Callable[[Places], Sequence[Floats]]:
        def added(tokens: Places) -> Sequence[Floats]:
            states = states_of(self.session.encode(text), tokens)
            return [emission.scores(states) for emission in self.emissions]

        return added


def states_of(encoded: Encoded, tokens: Places) -> NDArray[np.float32]:
    """Return the mean state of each token's pieces, float32 [tokens, H]; zeros without any."""
    made = np.zeros((len(tokens), encoded.states.shape[1]), np.float32)
    if not len(encoded.places):
        return made
    starts, ends = encoded.places[:, 0], encoded.places[:, 1]
    for at, (first, last) in enumerate(tokens):
        # Pieces stand in order: those that overlap a token are a run.
        low = int(np.searchsorted(ends, first, side="right"))
        high = int(np.searchsorted(starts, last, side="left"))
        if high > low:
            made[at] = encoded.states[low:high].mean(axis=0)
    return made


def train_encoder_spans(
    session: Session,
) -> Callable[..., Any]:
    """Return a trainer like `train_spans` whose models also read the session's states."""

    def train(
        texts: Sequence[str],
        records: Sequence[dict[str, Any]],
        fields: Sequence[Field],
        progress: Progress = silent,
    ) -> EncoderSpans:
        model = train_spans(texts, records, fields, progress)
        labelled = {own.path: own for own in label_fields(texts, records, fields)}
        tokens = [tokenise(text, model.layout.compound) for text in texts]
        states = [
            states_of(session.encode(text), own) for text, own in zip(texts, tokens, strict=True)
        ]
        emissions = [
            _fit(layer, [labelled[f.path].places for f in layer.fields], tokens, states)
            for layer in model.layers
        ]
        return EncoderSpans(model, tuple(emissions), session)

    return train


def _fit(
    layer: SpanLayer,
    places: Sequence[Sequence[Any]],
    tokens: Sequence[Places],
    states: Sequence[NDArray[np.float32]],
) -> Emission:
    """Fit one layer's regression on the tokens of the rows where every value was found."""
    names = ["O"]
    for at in range(len(layer.fields)):
        names += [f"B-{at}", f"I-{at}"]
    index = {name: at for at, name in enumerate(names)}
    columns: list[NDArray[np.float32]] = []
    labels: list[int] = []
    for row, own in enumerate(tokens):
        if any(field[row].missed for field in places) or len(labels) > _MOST_TOKENS:
            continue
        said, _ = tags([(str(at), field[row]) for at, field in enumerate(places)], own)
        columns.append(states[row])
        labels += [index[label] for label in said]
    size = states[0].shape[1] if states else 0
    nothing = Emission(np.zeros((size, len(names)), np.float32), np.zeros(len(names), np.float32))
    if len(labels) < _LEAST_TOKENS or len(set(labels)) < 2:
        return nothing
    return _regression(np.concatenate(columns), np.array(labels), len(names))


def _regression(states: NDArray[np.float32], labels: NDArray[Any], count: int) -> Emission:
    model = LogisticRegression(C=_C, max_iter=60, tol=1e-3)
    with warnings.catch_warnings():
        # The weights are good long before the last digit.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(states, labels)
    weights, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(weights) == 1:
        weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    seen = np.asarray(model.classes_, np.intp)
    shares = np.bincount(labels, minlength=count) / len(labels)
    made = Emission(np.zeros((states.shape[1], count), np.float32), np.zeros(count, np.float32))
    made.weights[:, seen] = weights.T
    made.bias[seen] = bias - np.log(np.maximum(shares[seen], _FLOOR))
    return made
