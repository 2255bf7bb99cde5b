"""Spans read with an encoder: its token states add to the scores of the CRF's words.

For each layer of a span model a logistic regression tells a token's label from its state; the log
of its probability over the label's share is added to the CRF's own score of that token, and the
CRF's transitions and decoding stay as they are. How much a state counts is chosen for each set of
fields on rows held out of the training rows: a receipt's layout says more than a small encoder's
states, a short sentence less.
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
from stepdown.core.records import same_value
from stepdown.errors import NotEnoughData
from stepdown.students.encoder.session import Encoded, Session
from stepdown.students.spans import train_spans
from stepdown.students.spans_features import Places, tokenise
from stepdown.students.spans_labels import label_fields, tags
from stepdown.students.spans_model import SpanField, SpanGuess, SpanLayer, SpanModel

__all__ = ["Emission", "EncoderSpans", "rows_right", "runs_of", "train_encoder_spans"]

Floats = NDArray[np.float64]

_SHARES = (0.0, 0.25, 0.5, 0.75)
"""How much a state's evidence may count beside the words'; in order of preference where equal."""
_USUAL = 0.5
_HELD = 5
"""One training row in so many is held out to choose the share."""
_MOST_ROWS = 1_500
_LEAST_HELD = 20
_C = 1.0
_MOST_TOKENS = 60_000
_LEAST_TOKENS = 20
_FLOOR = 1e-6


class Emission(msgspec.Struct, frozen=True):
    """One layer's regression: `weights` float32 [H, labels], `bias` float32 [labels].

    Labels stand as in the layer's CRF: O, then B and I of each field. All zero says nothing. The
    share that a state counts is in the numbers.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, states: NDArray[np.float32]) -> Floats:
        """Return what the states [T, H] add to the scores [T, labels] of the layer."""
        return (states @ self.weights + self.bias).astype(np.float64)

    def at(self, share: float) -> "Emission":
        """Return the emission that counts `share` times as much."""
        return Emission(self.weights * np.float32(share), self.bias * np.float32(share))

    @property
    def silent(self) -> bool:
        """Whether it says nothing of any state."""
        return not (self.weights.any() or self.bias.any())


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
        if all(emission.silent for emission in self.emissions):
            return self.model.predict(text)
        return self.model.predict(text, self._added(text))

    def at(self, share: float) -> "EncoderSpans":
        """Return the model whose states count `share` times as much."""
        return EncoderSpans(self.model, tuple(e.at(share) for e in self.emissions), self.session)

    def _added(self, text: str) -> Callable[[Places], Sequence[Floats]]:
        def added(tokens: Places) -> Sequence[Floats]:
            states = states_of(self.session.encode(text), tokens)
            return [emission.scores(states) for emission in self.emissions]

        return added


def runs_of(places: NDArray[np.intp], tokens: Places) -> list[tuple[int, int]]:
    """Return the pieces [low, high) that overlap each token; pieces stand in order."""
    if not len(places):
        return [(0, 0)] * len(tokens)
    starts, ends = places[:, 0], places[:, 1]
    lows = ends.searchsorted([first for first, _ in tokens], side="right")
    highs = starts.searchsorted([last for _, last in tokens], side="left")
    return list(zip(lows.tolist(), highs.tolist(), strict=True))


def states_of(encoded: Encoded, tokens: Places) -> NDArray[np.float32]:
    """Return the mean state of each token's pieces, float32 [tokens, H]; zeros without any."""
    made = np.zeros((len(tokens), encoded.states.shape[1]), np.float32)
    for at, (low, high) in enumerate(runs_of(encoded.places, tokens)):
        if high > low:
            made[at] = encoded.states[low:high].mean(axis=0)
    return made


def train_encoder_spans(session: Session) -> Callable[..., Any]:
    """Return a trainer like `train_spans` whose models also read the session's states.

    The share is chosen when a set of fields is first trained, and kept: the trainer is called for
    every fold of the same rows, whose guesses must be weighed as the last model's are.
    """
    shares: dict[tuple[str, ...], float] = {}

    def train(
        texts: Sequence[str],
        records: Sequence[dict[str, Any]],
        fields: Sequence[Field],
        progress: Progress = silent,
    ) -> EncoderSpans:
        key = tuple(field.path for field in fields)
        if key not in shares:
            shares[key] = _best_share(session, texts, records, fields, progress)
        return _train(session, texts, records, fields, progress).at(shares[key])

    return train


def _train(
    session: Session,
    texts: Sequence[str],
    records: Sequence[dict[str, Any]],
    fields: Sequence[Field],
    progress: Progress,
) -> EncoderSpans:
    """Train the words' model and its emissions, whose states count in full."""
    model = train_spans(texts, records, fields, progress)
    labelled = {own.path: own for own in label_fields(texts, records, fields)}
    tokens = [tokenise(text, model.layout.compound) for text in texts]
    states = [states_of(session.encode(text), own) for text, own in zip(texts, tokens, strict=True)]
    emissions = [
        _fit(layer, [labelled[f.path].places for f in layer.fields], tokens, states)
        for layer in model.layers
    ]
    return EncoderSpans(model, tuple(emissions), session)


def _best_share(
    session: Session,
    texts: Sequence[str],
    records: Sequence[dict[str, Any]],
    fields: Sequence[Field],
    progress: Progress,
) -> float:
    """Return the share under which most held-out rows are wholly right."""
    rows = range(min(len(texts), _MOST_ROWS))
    held = [at for at in rows if at % _HELD == 0]
    kept = [at for at in rows if at % _HELD]
    if len(held) < _LEAST_HELD:
        return _USUAL
    try:
        model = _train(
            session, [texts[at] for at in kept], [records[at] for at in kept], fields, progress
        )
    except NotEnoughData:
        return _USUAL
    return max(_SHARES, key=lambda share: rows_right(model.at(share), texts, records, held))


def rows_right(
    model: EncoderSpans,
    texts: Sequence[str],
    records: Sequence[dict[str, Any]],
    held: Sequence[int],
) -> tuple[int, int]:
    """Return how many held-out rows are wholly right, and how many of their fields are."""
    hits = [
        [same_value(guess.value, records[at].get(path)) for path, guess in found.items()]
        for at in held
        if (found := model.predict(texts[at]))
    ]
    return sum(map(all, hits)), sum(map(sum, hits))


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
