"""A trained span model: from a text to its fields' values, each with a probability."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.fingerprint import canonical_json
from stepdown.core.normalise import normaliser_of
from stepdown.students.crf import Crf, Posterior, forward, posterior, score, viterbi
from stepdown.students.spans_features import Layout, Lexicon, Places, features, tokenise
from stepdown.students.spans_labels import folded

__all__ = ["SpanField", "SpanGuess", "SpanLayer", "SpanModel"]

Floats = NDArray[np.float64]

_WORTH_TRYING = 0.01
_NEVER_ABSENT = 0.005
_TIE = 1e-9


class SpanField(msgspec.Struct, frozen=True):
    """A field that the model reads.

    `rate` is how often the normaliser gave the teacher's value, `absent` in how many rows there was
    none; both in [0, 1], both in training. `nothing` is what the answer holds where there is none.
    `spellings` has the teacher's spelling of known values by their folded form.
    """

    path: str
    many: bool
    normaliser: str
    rate: float
    absent: float
    nothing: Any = None
    spellings: dict[str, str] = {}


class SpanGuess(msgspec.Struct, frozen=True):
    """The value of one field, and the probability in [0, 1] that it is the teacher's.

    Without a span `value` is the field's `nothing`: null or absent, nearly always. `failed` says
    that a span was found which the normaliser can't read: the value is then not known, and the
    student must abstain. `start` and `end` are the span's characters (of the first, where there are
    several), -1 without one.
    """

    value: Any
    probability: float
    start: int = -1
    end: int = -1
    failed: bool = False


class SpanLayer(msgspec.Struct, frozen=True):
    """Fields that one CRF tells apart, and the values of them that training saw."""

    fields: tuple[SpanField, ...]
    crf: Crf
    lexicon: Lexicon

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The columns of each field's two labels: O is 0, and B comes before I."""
        return tuple((2 * at + 1, 2 * at + 2) for at in range(len(self.fields)))


class SpanModel(msgspec.Struct, frozen=True):
    """A field is in one of the `layers`, or `unread`: no training text had a span of it."""

    layers: tuple[SpanLayer, ...]
    layout: Layout
    unread: tuple[SpanField, ...] = ()

    @property
    def fields(self) -> tuple[SpanField, ...]:
        """All fields."""
        return (*(field for layer in self.layers for field in layer.fields), *self.unread)

    def predict(
        self, text: str, more: Callable[[Places], Sequence[Floats]] | None = None
    ) -> dict[str, SpanGuess]:
        """Return a guess for every field: path → guess.

        `more(tokens)` adds scores (T by L, one array a layer) of another model to each layer's own.
        """
        guesses = {f.path: SpanGuess(f.nothing, f.absent) for f in self.unread}
        tokens = tokenise(text, self.layout.compound)
        if not tokens:
            return {f.path: SpanGuess(f.nothing, f.absent) for f in self.fields}
        added = more(tokens) if more is not None else ()
        for at, layer in enumerate(self.layers):
            scores = score(layer.crf, features(text, tokens, self.layout, layer.lexicon))
            if added:
                scores = scores + added[at]
            guesses.update(_guess_layer(layer, scores, text, tokens))
        return guesses


def _read(field: SpanField, span: str) -> Any:
    value = normaliser_of(field.normaliser)(span)
    if field.spellings and isinstance(value, str):
        value = field.spellings.get(folded(value), value)
    return None if value == "" else value


class _Candidate(msgspec.Struct):
    """A value that competes for a field: how probably it stands somewhere, and its best place."""

    value: Any
    probability: float
    best: float
    first: int
    stop: int


def _spans_from(post: Posterior, begin: int, inside: int) -> Iterator[tuple[int, int, float]]:
    """Yield (first, stop, probability) of every span of one field worth trying."""
    starts = post.marginals[:, begin]
    length = len(starts)
    worth = min(_WORTH_TRYING, float(starts.max()))
    for first in np.flatnonzero(starts >= worth).tolist():
        held, label, stop = float(starts[first]), begin, first + 1
        while held > worth / 4:
            stay = float(post.stays[stop, label]) if stop < length else 0.0
            if held * (1 - stay) > worth / 4:
                yield first, stop, held * (1 - stay)
            held *= stay
            label, stop = inside, stop + 1


def _candidates(
    field: SpanField, spans: Iterator[tuple[int, int, float]], text: str, tokens: Places
) -> list[_Candidate]:
    """Join spans of the same value: it is there unless none of its places is one."""
    joined: dict[str | bytes, _Candidate] = {}
    for first, stop, probability in spans:
        value = _read(field, text[tokens[first][0] : tokens[stop - 1][1]])
        # A text is its own key: one with a lone surrogate has no JSON.
        key = value if isinstance(value, str) else canonical_json(value)
        known = joined.get(key)
        if known is None:
            joined[key] = _Candidate(value, probability, probability, first, stop)
            continue
        known.probability = 1 - (1 - known.probability) * (1 - probability)
        if probability > known.best + _TIE:
            known.best, known.first, known.stop = probability, first, stop
    return list(joined.values())


def _guess_one(
    field: SpanField, candidates: list[_Candidate], nothing: float, tokens: Places
) -> SpanGuess:
    """Choose among the values that stand in the text and none at all (`nothing`)."""
    total = nothing + sum(c.probability for c in candidates)
    best = max(candidates, key=lambda c: c.probability, default=None)
    # A field that was never absent is not absent now, however doubtful its value.
    doubted = nothing >= best.probability and field.absent > _NEVER_ABSENT if best else True
    if best is None or doubted:
        return SpanGuess(field.nothing, nothing / total if total else field.absent)
    start, end = tokens[best.first][0], tokens[best.stop - 1][1]
    return SpanGuess(best.value, best.probability / total, start, end, failed=best.value is None)


def _spans_of(pair: tuple[int, int], best: Sequence[int], tokens: Places) -> Places:
    """Return where the labelling `best` has spans of one field."""
    begin, inside = pair
    spans: Places = []
    for (start, end), label in zip(tokens, best, strict=True):
        if label == begin:
            spans.append((start, end))
        elif label == inside:
            spans[-1] = (spans[-1][0], end)
    return spans


def _guess_many(field: SpanField, spans: Places, probability: float, text: str) -> SpanGuess:
    """Read every span, each value once, in the text's order."""
    values = [_read(field, text[start:end]) for start, end in spans]
    distinct = {canonical_json(value): value for value in reversed(values)}
    found = list(reversed(distinct.values())) or field.nothing
    return SpanGuess(found, probability, *(spans or [(-1, -1)])[0], failed=None in values)


def _restrictions(layer: SpanLayer, best: Sequence[int], length: int) -> Floats:
    """Return which labels are allowed (T by K by L) if field k is exactly where `best` has it.

    A field of one value is wanted nowhere instead: its values are weighed against that.
    """
    allowed = np.ones((length, len(layer.fields), len(layer.crf.labels)))
    for k, (begin, inside) in enumerate(layer.pairs):
        allowed[:, k, begin : inside + 1] = 0.0
    for at, label in enumerate(best):
        k = (label - 1) // 2
        if label and layer.fields[k].many:
            allowed[at, k] = 0.0
            allowed[at, k, label] = 1.0
    return allowed


def _guess_layer(
    layer: SpanLayer, scores: Floats, text: str, tokens: Places
) -> dict[str, SpanGuess]:
    many = [field.many for field in layer.fields]
    best = viterbi(layer.crf, scores) if any(many) else []
    summed = forward(layer.crf, scores, _restrictions(layer, best, len(tokens)))
    post = None if all(many) else posterior(layer.crf, scores, summed.alphas)
    guesses: dict[str, SpanGuess] = {}
    for field, pair, kept in zip(layer.fields, layer.pairs, summed.within.tolist(), strict=True):
        if post is None or field.many:
            spans = _spans_of(pair, best, tokens)
            guesses[field.path] = _guess_many(field, spans, kept, text)
        elif kept > 1 - _WORTH_TRYING and field.absent > _NEVER_ABSENT:
            guesses[field.path] = SpanGuess(field.nothing, kept)
        else:
            found = _candidates(field, _spans_from(post, *pair), text, tokens)
            guesses[field.path] = _guess_one(field, found, kept, tokens)
    return guesses
