"""Learning which windows hold a field's value, from answers that say the value alone.

A date stands in a contract ten times, and one of these is what was asked for. Which one is not in
the log, so it is inferred (multiple-instance learning; hard and soft assignments in turn, as in
Andrews, Tsochantaridis and Hofmann, NIPS 2002, §3): a scorer learns from all places of the value,
scores those of documents that it did not see, and the next one learns mostly from the likely ones.
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from stepdown.core.align import align
from stepdown.core.anatomy import Field
from stepdown.core.datasets import Example
from stepdown.core.ports import Progress, silent
from stepdown.students.windows.cut import Places, cut
from stepdown.students.windows.grams import fit_grams
from stepdown.students.windows.model import (
    SHORT,
    WindowModel,
    digest,
    document,
    replace,
    select,
)

__all__ = ["Condensed", "condense_all", "fit_windows", "is_long"]

_LONG_INPUT = 8_000
_LONG_SHARE = 0.2
_FOLDS = 3
_ROUNDS = 3
_MOST_CHARS = 20_000_000
"""So much text is enough to learn windows from, and keeps memory below a gigabyte."""
_MOST_GRAMS = 30_000
_PIECE = 40
"""Units that are aligned at once: the number of places that alignment returns is capped."""
_LEAST_BAGS = 10
_NEGATIVES = 24
_HARD = 8
_C = 10.0
_FIXED = ("constant",)


class Condensed(msgspec.Struct, frozen=True):
    """What was learnt, and the training examples as a student of them should see them.

    Each example's windows were chosen by a scorer that had not seen its document, as those of new
    inputs will be.
    """

    model: WindowModel
    examples: tuple[Example, ...]


class _Document(msgspec.Struct):
    """One text with its units and features; `bags[field]` has each place's windows."""

    text: str
    units: Places
    rows: sparse.csr_matrix
    bags: dict[int, list[NDArray[np.intp]]]
    fold: int
    absent: set[int]


class _Scorer(msgspec.Struct, frozen=True):
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


def is_long(examples: Sequence[Example]) -> bool:
    """Say whether the inputs are long enough for windows: one in five has 8,000 characters."""
    long = sum(sum(len(s.text) for s in e.input) >= _LONG_INPUT for e in examples)
    return long > _LONG_SHARE * len(examples)


def _items(value: Any) -> list[Any]:
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    return [item for item in items if item is not None and not isinstance(item, bool | dict | list)]


def _bags(value: Any, text: str, units: Places) -> list[NDArray[np.intp]]:
    """Return for each place of a value the windows that hold it."""
    starts = np.array([start for start, _ in units])
    bags: dict[tuple[int, int], NDArray[np.intp]] = {}
    for first in range(0, len(units), _PIECE):
        # A place may run over into the next piece: one unit of overlap finds it.
        begin, end = units[first][0], units[min(first + _PIECE, len(units) - 1)][1]
        for item in _items(value):
            for found in align(item, text[begin:end]):
                place = begin + found.start, begin + found.end
                low = int(np.searchsorted(starts, place[0], side="right")) - 1
                high = int(np.searchsorted(starts, place[1], side="left")) - 1
                inside = range(max(0, high - 1), low + 1)
                if len(inside):
                    bags[place] = np.array(inside, np.intp)
    return list(bags.values())


def _documents(paths: Sequence[str], examples: Sequence[Example]) -> Iterator[_Document]:
    chars = 0
    empty = sparse.csr_matrix((0, 0))
    for example in examples:
        text = document(example.input)
        if len(text) <= SHORT or not example.known:
            continue
        chars += len(text)
        if chars > _MOST_CHARS:
            return
        units = cut(text)
        values = [example.record.get(path) for path in paths]
        bags = {at: _bags(value, text, units) for at, value in enumerate(values)}
        absent = {at for at, value in enumerate(values) if value is None}
        yield _Document(text, units, empty, bags, example.kin % _FOLDS, absent)


def _rows_of(
    document: _Document, field: int, scores: NDArray[np.float64] | None, random: np.random.Generator
) -> Iterator[tuple[int, int, float]]:
    """Yield (window, is it one with the value, weight) of one document for one field.

    Of the windows without the value a random few and those that score best are yielded; a document
    that has a value which stands nowhere yields none.
    """
    bags = document.bags[field]
    if not bags and field not in document.absent:
        return
    inside: NDArray[np.intp] = np.unique(np.concatenate(bags)) if bags else np.zeros(0, np.intp)
    if len(inside):
        likely = np.zeros(len(inside)) if scores is None else scores[inside]
        share = np.exp(likely - likely.max())
        for at, weight in zip(inside.tolist(), (share / share.max()).tolist(), strict=True):
            if weight > 0.02:
                yield at, 1, weight / len(inside) if scores is None else weight
    outside = np.setdiff1d(np.arange(len(document.units)), inside)
    picked = random.permutation(outside)[:_NEGATIVES].tolist()
    if scores is not None:
        picked += outside[np.argsort(-scores[outside], kind="stable")][:_HARD].tolist()
    for at in dict.fromkeys(picked):
        yield at, 0, 1.0


def _fit(
    documents: Sequence[_Document],
    scores: Sequence[NDArray[np.float64] | None],
    fields: int,
    width: int,
) -> _Scorer:
    weights = np.zeros((width, fields), np.float32)
    bias = np.full(fields, -10.0, np.float32)
    random = np.random.default_rng(0)
    for field in range(fields):
        parts: list[sparse.csr_matrix] = []
        target: list[int] = []
        weight: list[float] = []
        for doc, known in zip(documents, scores, strict=True):
            column = None if known is None else known[:, field]
            rows = list(_rows_of(doc, field, column, random))
            if rows:
                parts.append(doc.rows[[at for at, _, _ in rows]])
                target.extend(is_one for _, is_one, _ in rows)
                weight.extend(w for _, _, w in rows)
        if len(set(target)) == 2:
            model = LogisticRegression(C=_C, solver="liblinear", random_state=0)
            model.fit(sparse.vstack(parts), np.array(target), np.array(weight))
            weights[:, field] = np.ravel(model.coef_)
            bias[field] = float(np.ravel(model.intercept_)[0])
    return _Scorer(weights, bias)


def _scored(scorer: _Scorer, document: _Document) -> NDArray[np.float64]:
    return (np.asarray(document.rows @ scorer.weights) + scorer.bias).astype(np.float64)


def _rehearse(
    documents: Sequence[_Document], fields: int, width: int, progress: Progress
) -> list[NDArray[np.float64] | None]:
    """Return each document's scores by a scorer that was fitted on the other folds."""
    scores: list[NDArray[np.float64] | None] = [None] * len(documents)
    for turn in range(_ROUNDS):
        fresh = list(scores)
        for fold in range(_FOLDS):
            inside = [at for at, doc in enumerate(documents) if doc.fold != fold]
            scorer = _fit(
                [documents[at] for at in inside], [scores[at] for at in inside], fields, width
            )
            for at, doc in enumerate(documents):
                if doc.fold == fold:
                    fresh[at] = _scored(scorer, doc)
            progress("windows", turn * _FOLDS + fold + 1, _ROUNDS * _FOLDS + 1)
        scores = fresh
    return scores


def _sought(fields: Sequence[Field], documents: Sequence[_Document]) -> list[int]:
    """Return the fields whose values stand in enough documents to learn from."""
    counts = [sum(bool(doc.bags[at]) for doc in documents) for at in range(len(fields))]
    return [at for at, count in enumerate(counts) if count >= _LEAST_BAGS]


def fit_windows(
    fields: Sequence[Field], examples: Sequence[Example], progress: Progress = silent
) -> Condensed | None:
    """Learn windows for the fields whose values stand in the examples' documents.

    None where the inputs are short, or no field's value stands in enough of them.
    """
    if not is_long(examples):
        return None
    fields = [field for field in fields if field.kind not in _FIXED]
    documents = list(_documents([field.path for field in fields], examples))
    sought = _sought(fields, documents)
    if not sought:
        return None
    grams = fit_grams(((doc.text, doc.units) for doc in documents), _MOST_GRAMS)
    for doc in documents:
        doc.rows = grams.rows(doc.text, doc.units)
        doc.bags = {new: doc.bags[old] for new, old in enumerate(sought)}
        doc.absent = {new for new, old in enumerate(sought) if old in doc.absent}
    scores = _rehearse(documents, len(sought), grams.width, progress)
    scorer = _fit(documents, scores, len(sought), grams.width)
    paths = tuple(fields[at].path for at in sought)
    model = WindowModel(paths, grams, scorer.weights, scorer.bias)
    seen = {
        doc.text: digest(doc.text, select(doc.units, known, paths))
        for doc, known in zip(documents, scores, strict=True)
        if known is not None
    }
    progress("windows", _ROUNDS * _FOLDS + 1, _ROUNDS * _FOLDS + 1)
    return Condensed(model, tuple(condense_all(model, examples, seen)))


def condense_all(
    model: WindowModel, examples: Sequence[Example], digests: dict[str, str]
) -> Iterator[Example]:
    """Yield the examples with digests for documents: those of `digests`, or the model's own."""
    for example in examples:
        text = digests.get(document(example.input))
        given = model.condense(example.input) if text is None else replace(example.input, text)
        yield msgspec.structs.replace(example, input=given)
