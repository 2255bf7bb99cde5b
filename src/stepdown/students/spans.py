"""Training of span models: which words of the input the teacher's answer copies."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from stepdown.core.anatomy import Field
from stepdown.core.ports import Progress, silent
from stepdown.errors import NotEnoughData
from stepdown.students.crf import CrfSettings, fit_crf
from stepdown.students.spans_features import (
    ROLE,
    Layout,
    Lexicon,
    Places,
    features,
    lexicon_of,
    tokenise,
)
from stepdown.students.spans_files import load_spans, save_spans
from stepdown.students.spans_labels import LabelledField, fits, label_fields, layers_of, tags
from stepdown.students.spans_model import SpanField, SpanGuess, SpanLayer, SpanModel
from stepdown.students.windows.marks import regions

__all__ = ["SpanField", "SpanGuess", "SpanModel", "load_spans", "save_spans", "train_spans"]

# Both chosen by cross-validation on training parts: SNIPS and DSTC8, and SROIE.
_SHORT = CrfSettings(c1=0.05, c2=0.01, iterations=100)
_DOCUMENTS = CrfSettings(c1=0.02, c2=0.1, iterations=100)
_MIN_FIT = 0.98
_MAX_DROPPED = 0.2
_MAX_TOKENS = 250_000
_CHUNK = 400


def _layout(texts: Sequence[str]) -> Layout:
    sample = texts[:: max(1, len(texts) // 500)]
    lines = sum(text.count("\n") >= 3 for text in sample)
    spoken = sum(ROLE.search(text) is not None for text in sample)
    roles = 10 * spoken > len(sample)
    windows = 2 * sum(bool(regions(text)) for text in sample) > len(sample)
    lined = 10 * lines > len(sample) and not roles
    return Layout(lines=lined, roles=roles, windows=windows)


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


def _rows(
    texts: Sequence[str],
    tokens: Sequence[Places],
    fields: Sequence[LabelledField],
    group: Sequence[int],
) -> list[_Row]:
    rows: list[_Row] = []
    for at in _usable([fields[index] for index in group], tokens):
        places = [(str(index), fields[index].places[at]) for index in group]
        labels, spans = tags(places, tokens[at])
        rows.append(_Row(texts[at], tokens[at], labels, lexicon_of(texts[at], tokens[at], spans)))
    return rows


def _merged(rows: Sequence[_Row]) -> Lexicon:
    lexicon: dict[str, Counter[str]] = {}
    for row in rows:
        for phrase, fields in row.own.items():
            lexicon.setdefault(phrase, Counter()).update(fields)
    return {phrase: dict(fields) for phrase, fields in lexicon.items()}


def _chunks(row: _Row, number: int) -> list[tuple[int, int]]:
    """Return the parts [first, stop) of a long text to train on.

    The first one, each that shows a field for the first time, and one more, by the row's number.
    """
    starts = range(0, len(row.tokens), _CHUNK)
    seen: set[str] = set()
    kept: list[tuple[int, int]] = []
    for at, first in enumerate(starts):
        labels = set(row.labels[first : first + _CHUNK]) - {"O"}
        if not first or labels - seen or at == number % len(starts):
            kept.append((first, min(first + _CHUNK, len(row.tokens))))
        seen |= labels
    return kept


def _sequences(
    rows: Sequence[_Row], layout: Layout, lexicon: Lexicon
) -> Iterator[tuple[list[list[str]], list[str]]]:
    short = sum(len(row.tokens) for row in rows) <= _MAX_TOKENS
    for number, row in enumerate(rows):
        made = features(row.text, row.tokens, layout, lexicon, row.own)
        parts = [(0, len(made))] if short else _chunks(row, number)
        for first, stop in parts:
            yield made[first:stop], row.labels[first:stop]


def _described(field: LabelledField) -> SpanField:
    return SpanField(
        field.path,
        field.many,
        field.normaliser,
        field.rate,
        field.absent,
        field.nothing,
        field.spellings,
    )


def _tell(progress: Progress, before: int, total: int, done: int) -> None:
    progress("spans", before + done, total)


def train_spans(
    texts: Sequence[str],
    records: Sequence[dict[str, Any]],
    fields: Sequence[Field],
    progress: Progress = silent,
    settings: CrfSettings | None = None,
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
    settings = settings or (_DOCUMENTS if layout.lines else _SHORT)
    tokens = [tokenise(text, compound=True) for text in texts]
    if fits(labelled, tokens) < _MIN_FIT:
        layout = msgspec.structs.replace(layout, compound=False)
        tokens = [tokenise(text, compound=False) for text in texts]
    read = [field for field in labelled if any(place.spans for place in field.places)]
    groups = layers_of(read)
    layers: list[SpanLayer] = []
    total = len(groups) * settings.iterations
    for at, group in enumerate(groups):
        rows = _rows(texts, tokens, read, group)
        lexicon = _merged(rows)
        tell = partial(_tell, progress, at * settings.iterations, total)
        crf = fit_crf(_sequences(rows, layout, lexicon), settings, tell)
        known = tuple(_described(read[i]) for i in group if f"B-{i}" in crf.labels)
        layers.append(SpanLayer(known, crf, lexicon))
    progress("spans", total, total)
    taken = {field.path for layer in layers for field in layer.fields}
    unread = tuple(_described(field) for field in labelled if field.path not in taken)
    return SpanModel(tuple(layers), layout, unread)
