"""From the teacher's values to token labels: where each field's values stand in each text."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from stepdown.core.align import align
from stepdown.core.anatomy import Field
from stepdown.core.fingerprint import canonical_json
from stepdown.core.normalise import DAY, best_normaliser, normaliser_of
from stepdown.core.records import same_value
from stepdown.students.spans_features import Places
from stepdown.students.windows.marks import field_letters, regions

__all__ = ["LabelledField", "Placed", "fits", "folded", "label_fields", "layers_of", "tags"]

_MAX_CONFLICTS = 0.05
_MOST_SPELLINGS = 2_000

Spans = tuple[tuple[int, int], ...]


class Placed(msgspec.Struct, frozen=True):
    """Where one field's value stands in one text, in characters; `missed` where it does nowhere."""

    spans: Spans = ()
    missed: bool = False


class LabelledField(msgspec.Struct, frozen=True):
    """A field with its place in every training text and the normaliser that reads the spans.

    `rate` is the share of aligned values that the normaliser reproduces, in [0, 1]. `nothing` is
    what the teacher wrote where there was no value (null, mostly; or "", [], "N/A"), `absent` the
    share of rows where it did. `spellings` is how the teacher spells what a span says, by its
    folded form; empty where spans are spelt as answers are.
    """

    path: str
    many: bool
    normaliser: str
    rate: float
    nothing: Any
    absent: float
    places: tuple[Placed, ...]
    spellings: dict[str, str] = {}


def _pairs(value: Any, text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[Any, str]]:
    """Return the (value, span) pairs that a normaliser has to reproduce."""
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [(item, text[a:b]) for item, (a, b) in zip(items, spans, strict=True)]
    return [(value, text[slice(*spans[0])])]


def _stand_in(values: Sequence[Any]) -> Any:
    """Return what is written for "no value", given the values that stand nowhere in their text."""
    counts = Counter(map(canonical_json, values))
    if not counts:
        return None
    written, count = counts.most_common(1)[0]
    return msgspec.json.decode(written) if count > 1 and 2 * count >= len(values) else None


def _spans(path: str, value: Any, text: str) -> Spans:
    """Return where a field's value stands in a text.

    In a digest it is sought in the windows that were chosen for the field, the best first: another
    place of the same words is not what was meant.
    """
    own = field_letters(path)
    ranked = sorted(
        (mark[4], region.start, region.end)
        for region in regions(text)
        for mark in region.marks
        if mark[:4] == own and not isinstance(value, list)
    )
    for _, start, end in ranked:
        found = align(value, text[start:end])
        if found:
            return tuple((start + place.start, start + place.end) for place in found)
    return tuple((place.start, place.end) for place in align(value, text))


def folded(value: str) -> str:
    """Return a value without regard to case and white space."""
    return " ".join(value.split()).casefold()


def _spellings(pairs: Sequence[tuple[Any, str]], name: str) -> dict[str, str]:
    """Return the teacher's spelling of each value, by its folded form.

    Empty unless spelling values as other rows do is right oftener than the normaliser alone.
    """
    read = [(value, normaliser_of(name)(span)) for value, span in pairs]
    texts = [(v, got) for v, got in read if isinstance(v, str) and isinstance(got, str)]
    known: dict[str, Counter[str]] = {}
    for value, _ in texts:
        known.setdefault(folded(value), Counter())[value] += 1
    gain = 0
    for value, got in texts:
        others = known.get(folded(got), Counter[str]()) - Counter([value])
        spelt = _commonest(others) if others else got
        gain += same_value(spelt, value) - same_value(got, value)
    if gain <= 0:
        return {}
    kept = sorted(known, key=lambda key: (-known[key].total(), key))[:_MOST_SPELLINGS]
    return {key: _commonest(known[key]) for key in kept}


def _commonest(spellings: Counter[str]) -> str:
    return min(spellings, key=lambda value: (-spellings[value], value))


def _label_field(texts: Sequence[str], values: Sequence[Any], field: Field) -> LabelledField:
    found = [_spans(field.path, value, text) for value, text in zip(values, texts, strict=True)]
    nothing = _stand_in([value for value, spans in zip(values, found, strict=True) if not spans])
    places: list[Placed] = []
    pairs: list[tuple[Any, str]] = []
    for value, text, spans in zip(values, texts, found, strict=True):
        places.append(Placed(spans, not spans and value is not None and value != nothing))
        pairs.extend(_pairs(value, text, spans) if spans else ())
    absent = sum(not place.spans and not place.missed for place in places) / len(texts)
    name, rate = best_normaliser(pairs)
    if name.startswith(DAY):
        places = [_meant(p, v, t, name) for p, v, t in zip(places, values, texts, strict=True)]
    spellings = _spellings(pairs, name)
    return LabelledField(
        field.path, field.many, name, rate, nothing, absent, tuple(places), spellings
    )


def _meant(place: Placed, value: Any, text: str, name: str) -> Placed:
    """Return the spans that say the very day: "today" stands in many texts and means nothing."""
    read = normaliser_of(name)
    kept = tuple(span for span in place.spans if same_value(read(text[slice(*span)]), value))
    return Placed(kept, place.missed or (bool(place.spans) and not kept))


def label_fields(
    texts: Sequence[str], records: Sequence[dict[str, Any]], fields: Sequence[Field]
) -> list[LabelledField]:
    """Align every field's value with its text; each field gets one normaliser for all rows."""
    return [
        _label_field(texts, [record.get(field.path) for record in records], field)
        for field in fields
    ]


def _tokens_of(span: tuple[int, int], tokens: Places) -> tuple[int, int] | None:
    """Return the tokens [first, stop) that cover exactly `span`, or None."""
    first = bisect_left(tokens, (span[0], -1))
    stop = bisect_left(tokens, (span[1], -1))
    if first < stop and tokens[first][0] == span[0] and tokens[stop - 1][1] == span[1]:
        return first, stop
    return None


def fits(fields: Sequence[LabelledField], tokens: Sequence[Places]) -> float:
    """Return the share of spans that begin and end where tokens do, in [0, 1]."""
    total = fit = 0
    for field in fields:
        for place, row in zip(field.places, tokens, strict=True):
            for span in place.spans:
                total += 1
                fit += _tokens_of(span, row) is not None
    return fit / total if total else 1.0


def _overlap(a: Placed, b: Placed) -> bool:
    return any(s < d and c < e for s, e in a.spans for c, d in b.spans)


def layers_of(fields: Sequence[LabelledField]) -> list[list[int]]:
    """Group fields so that those of one group rarely claim the same words.

    One sequence of labels can't say that a word belongs to two fields, so each group is a model of
    its own; nearly always there is one group.
    """
    conflicts: Counter[tuple[int, int]] = Counter()
    for a, field in enumerate(fields):
        for b in range(a):
            conflicts[a, b] = sum(map(_overlap, field.places, fields[b].places))
    counts = [sum(bool(place.spans) for place in field.places) for field in fields]
    layers: list[list[int]] = []
    for a in range(len(fields)):
        for layer in layers:
            if all(conflicts[a, b] <= _MAX_CONFLICTS * min(counts[a], counts[b]) for b in layer):
                layer.append(a)
                break
        else:
            layers.append([a])
    return layers


def tags(
    fields: Sequence[tuple[str, Placed]], tokens: Places
) -> tuple[list[str], list[tuple[int, int, str]]]:
    """Return BIO labels and the labelled (first, stop, name); longer spans win over shorter."""
    spans = [(*covered, name) for name, place in fields for span in place.spans
             if (covered := _tokens_of(span, tokens))]  # fmt: skip
    labels = ["O"] * len(tokens)
    placed: list[tuple[int, int, str]] = []
    for first, stop, name in sorted(spans, key=lambda s: (s[0] - s[1], s)):
        if all(label == "O" for label in labels[first:stop]):
            labels[first:stop] = [f"B-{name}"] + [f"I-{name}"] * (stop - first - 1)
            placed.append((first, stop, name))
    return labels, placed
