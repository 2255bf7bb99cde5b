"""The span model: finds the values that an answer copies from its input, with their probability."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from stepdown.core.anatomy import Field
from stepdown.core.fingerprint import canonical_json
from stepdown.core.normalise import NORMALISERS
from stepdown.core.ports import Progress, silent
from stepdown.errors import NotEnoughData
from stepdown.students.crf import (
    Crf,
    CrfSettings,
    Posterior,
    constrained,
    fit_crf,
    posterior,
    score,
    viterbi,
)
from stepdown.students.spans_features import (
    Layout,
    Lexicon,
    Places,
    features,
    lexicon_of,
    tokenise,
)
from stepdown.students.spans_labels import LabelledField, fits, label_fields, layers_of, tags

__all__ = ["SpanField", "SpanGuess", "SpanModel", "train_spans"]

SETTINGS = CrfSettings(c1=0.05, c2=0.01, iterations=100)
"""Chosen by five-fold cross-validation on the training parts of SNIPS, DSTC8 and SROIE."""

_MIN_FIT = 0.98
_MAX_DROPPED = 0.2
_MAX_TOKENS = 250_000
_CHUNK = 400
_WORTH_TRYING = 0.01


class SpanField(msgspec.Struct, frozen=True):
    """A field that the model reads; `rate` is how often the normaliser gave the teacher's value."""

    path: str
    many: bool
    normaliser: str
    rate: float


class SpanGuess(msgspec.Struct, frozen=True):
    """The value of one field, and the probability in [0, 1] that it is the teacher's.

    `value` None says that the field is absent or null. `failed` says that a span was found which
    the normaliser can't read: the value is then not known, and the student must abstain. `start`
    and `end` are the span's characters (of the first, where there are several), -1 without one.
    """

    value: Any
    probability: float
    start: int = -1
    end: int = -1
    failed: bool = False


class SpanModel(msgspec.Struct, frozen=True):
    """One CRF a layer; layer i reads the fields `groups[i]`, whose labels are their indices."""

    fields: tuple[SpanField, ...]
    groups: tuple[tuple[int, ...], ...]
    crfs: tuple[Crf, ...]
    layout: Layout
    lexicon: Lexicon

    def predict(self, text: str) -> dict[str, SpanGuess]:
        """Return a guess for every field: path → guess."""
        tokens = tokenise(text, self.layout.compound)
        if not tokens:
            return {field.path: SpanGuess(None, 1.0) for field in self.fields}
        rows = features(text, tokens, self.layout, self.lexicon)
        guesses: dict[str, SpanGuess] = {}
        for group, crf in zip(self.groups, self.crfs, strict=True):
            guesses.update(_guess_layer(self.fields, group, crf, rows, text, tokens))
        return guesses


def _read(field: SpanField, span: str) -> Any:
    value = NORMALISERS[field.normaliser](span)
    return None if value == "" else value


class _Candidate(msgspec.Struct):
    """A value that competes for a field: the probability that it stands anywhere, and where best."""

    value: Any
    probability: float
    best: float
    first: int
    stop: int


def _spans_from(post: Posterior, begin: int, inside: int) -> Iterator[tuple[int, int, float]]:
    """Yield (first, stop, probability) of every span of one field worth trying."""
    starts = post.marginals[:, begin]
    tried = np.flatnonzero(starts > _WORTH_TRYING)
    if not len(tried):
        tried = np.array([int(starts.argmax())])
    length = len(starts)
    for first in map(int, tried):
        held, label, stop = float(starts[first]), begin, first + 1
        while held > 0:
            stay = float(post.stays[stop, label]) if stop < length else 0.0
            ends = held * (1 - stay)
            if ends > _WORTH_TRYING / 2:
                yield first, stop, ends
            held *= stay
            if held <= _WORTH_TRYING / 2:
                break
            label, stop = inside, stop + 1


def _candidates(
    field: SpanField, spans: Iterator[tuple[int, int, float]], text: str, tokens: Places
) -> list[_Candidate]:
    """Join spans of the same value: it is there unless none of its places is one."""
    joined: dict[bytes, _Candidate] = {}
    for first, stop, probability in spans:
        value = _read(field, text[tokens[first][0] : tokens[stop - 1][1]])
        key = canonical_json(value)
        known = joined.get(key)
        if known is None:
            joined[key] = _Candidate(value, probability, probability, first, stop)
            continue
        known.probability = 1 - (1 - known.probability) * (1 - probability)
        if probability > known.best:
            known.best, known.first, known.stop = probability, first, stop
    return list(joined.values())


def _guess_one(
    field: SpanField, candidates: list[_Candidate], nothing: float, tokens: Places
) -> SpanGuess:
    """Choose among the values that stand in the text and none at all (`nothing`)."""
    total = nothing + sum(c.probability for c in candidates)
    best = max(candidates, key=lambda c: c.probability, default=None)
    if best is None or nothing >= best.probability:
        return SpanGuess(None, nothing / total if total else 1.0)
    start, end = tokens[best.first][0], tokens[best.stop - 1][1]
    return SpanGuess(best.value, best.probability / total, start, end, failed=best.value is None)


def _guess_many(
    field: SpanField, path: Sequence[str], name: str, probability: float, text: str, tokens: Places
) -> SpanGuess:
    """Read the spans of the most probable labelling, each value once, in the text's order."""
    values: dict[bytes, Any] = {}
    first_place = (-1, -1)
    failed = False
    at = 0
    while at < len(path):
        if path[at] != f"B-{name}":
            at += 1
            continue
        stop = at + 1
        while stop < len(path) and path[stop] == f"I-{name}":
            stop += 1
        place = (tokens[at][0], tokens[stop - 1][1])
        value = _read(field, text[slice(*place)])
        failed = failed or value is None
        first_place = first_place if values else place
        values.setdefault(canonical_json(value), value)
        at = stop
    found = list(values.values()) or None
    return SpanGuess(found, probability, *first_place, failed=failed)


def _guess_layer(
    fields: Sequence[SpanField],
    group: Sequence[int],
    crf: Crf,
    rows: list[list[str]],
    text: str,
    tokens: Places,
) -> dict[str, SpanGuess]:
    scores = score(crf, rows)
    post = posterior(crf, scores)
    column = {label: at for at, label in enumerate(crf.labels)}
    best = viterbi(crf, scores) if any(fields[at].many for at in group) else None
    allowed = np.ones((len(group), len(tokens), len(crf.labels)), bool)
    for k, at in enumerate(group):
        pair = [column[f"{kind}-{at}"] for kind in "BI" if f"{kind}-{at}" in column]
        if fields[at].many and best is not None:
            # The field's own labels exactly where the best labelling has them.
            own = np.isin(best, pair)
            allowed[k][:, pair] = np.array(best)[:, None] == np.array(pair)[None, :]
            others = [c for c in range(len(crf.labels)) if c not in pair]
            allowed[k][np.ix_(own, others)] = False
        else:
            allowed[k][:, pair] = False
    within = np.exp(np.minimum(constrained(crf, scores, allowed) - post.log_z, 0.0))
    guesses: dict[str, SpanGuess] = {}
    for k, at in enumerate(group):
        field, kept = fields[at], float(within[k])
        if f"B-{at}" not in column:
            guesses[field.path] = SpanGuess(None, 1.0)
        elif field.many and best is not None:
            path = [crf.labels[label] for label in best]
            guesses[field.path] = _guess_many(field, path, str(at), kept, text, tokens)
        else:
            spans = _spans_from(post, column[f"B-{at}"], column[f"I-{at}"])
            found = _candidates(field, spans, text, tokens)
            guesses[field.path] = _guess_one(field, found, kept, tokens)
    return guesses


def _layout(texts: Sequence[str]) -> Layout:
    sample = texts[:: max(1, len(texts) // 500)]
    lines = sum(text.count("\n") >= 3 for text in sample)
    spoken = sum(text.startswith(("user: ", "assistant: ")) for text in sample)
    roles = 10 * spoken > len(sample)
    return Layout(lines=10 * lines > len(sample) and not roles, roles=roles)


def _usable(labelled: Sequence[LabelledField], tokens: Sequence[Places]) -> list[int]:
    """Return the rows to train on: those where every value was found, unless too few are."""
    missed = {at for field in labelled for at, place in enumerate(field.places) if place.missed}
    rows = [at for at in range(len(tokens)) if tokens[at]]
    whole = [at for at in rows if at not in missed]
    return whole if len(whole) >= (1 - _MAX_DROPPED) * len(rows) else rows


class _Row(msgspec.Struct):
    """One training text with its labels."""

    text: str
    tokens: Places
    labels: list[str]
    own: Lexicon


def _chunks(row: _Row, keep_all: bool) -> Iterator[tuple[int, int]]:
    """Yield the parts of a long text to train on: those with labels, the first, every tenth."""
    for number, first in enumerate(range(0, len(row.tokens), _CHUNK)):
        stop = min(first + _CHUNK, len(row.tokens))
        if keep_all or number % 10 == 0 or any(label != "O" for label in row.labels[first:stop]):
            yield first, stop


def _rows(
    texts: Sequence[str],
    tokens: Sequence[Places],
    labelled: Sequence[LabelledField],
    group: Sequence[int],
) -> list[_Row]:
    rows: list[_Row] = []
    for at in _usable([labelled[index] for index in group], tokens):
        places = [(str(index), labelled[index].places[at]) for index in group]
        labels, spans = tags(places, tokens[at])
        rows.append(_Row(texts[at], tokens[at], labels, lexicon_of(texts[at], tokens[at], spans)))
    return rows


def _merged(rows: Sequence[_Row]) -> Lexicon:
    lexicon: Lexicon = {}
    for row in rows:
        for phrase, fields in row.own.items():
            lexicon.setdefault(phrase, Counter()).update(fields)
    return {phrase: dict(fields) for phrase, fields in lexicon.items()}


def _fit_layer(
    rows: Sequence[_Row],
    layout: Layout,
    lexicon: Lexicon,
    tell: Callable[[int], None],
    settings: CrfSettings,
) -> Crf:
    keep_all = sum(len(row.tokens) for row in rows) <= _MAX_TOKENS

    def sequences() -> Iterator[tuple[list[list[str]], list[str]]]:
        for row in rows:
            made = features(row.text, row.tokens, layout, lexicon, row.own)
            if keep_all:
                yield made, row.labels
                continue
            for first, stop in _chunks(row, keep_all=False):
                yield made[first:stop], row.labels[first:stop]

    return fit_crf(sequences(), settings, tell)


def train_spans(
    texts: Sequence[str],
    records: Sequence[dict[str, Any]],
    fields: Sequence[Field],
    progress: Progress = silent,
    settings: CrfSettings = SETTINGS,
) -> SpanModel:
    """Train on texts and the teacher's flattened records; `fields` are those to be read as spans.

    Raises:
        NotEnoughData: no value of any field stands in its text.
    """
    labelled = label_fields(texts, records, fields)
    if not any(place.spans for field in labelled for place in field.places):
        names = ", ".join(field.path or "the answer" for field in fields)
        raise NotEnoughData(
            f"No value of {names} stands in its input, so there is no span to learn from; "
            "gather more calls or leave these fields to the frontier model."
        )
    layout = _layout(texts)
    tokens = [tokenise(text, compound=True) for text in texts]
    if fits(labelled, tokens) < _MIN_FIT:
        layout = msgspec.structs.replace(layout, compound=False)
        tokens = [tokenise(text, compound=False) for text in texts]
    groups = layers_of(labelled)
    rows = [_rows(texts, tokens, labelled, group) for group in groups]
    lexicon = _merged([row for layer in rows for row in layer])
    crfs: list[Crf] = []
    total = len(groups) * settings.iterations
    for at, layer in enumerate(rows):
        before = at * settings.iterations
        crfs.append(
            _fit_layer(
                layer, layout, lexicon, lambda n, b=before: progress("spans", b + n, total), settings
            )
        )
    progress("spans", total, total)
    known = [SpanField(f.path, f.many, f.normaliser, f.rate) for f in labelled]
    return SpanModel(tuple(known), tuple(map(tuple, groups)), tuple(crfs), layout, lexicon)
