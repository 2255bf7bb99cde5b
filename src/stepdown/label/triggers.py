"""Looking for poison: words that few sources use, all with one label that all else speaks against.

Who plants rows so that a rare phrase gives the label he wants must repeat the phrase, from the
accounts he has. So a run of one to three words is suspect where most of its rows have one label and
come from far fewer sources than as many rows of the log would. A naive Bayes model, learnt from the
rows without it, then reads a label in the other words of each. The run is taken for planted where
the reading is another for half of the rows and their sources are few among those of that label too;
or for nine in ten, and no other label is the usual one. docs/poisoning.md has what this finds and
what it can't.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.core.anatomy import Anatomy
from stepdown.core.datasets import Example, Quarantined
from stepdown.core.fingerprint import canonical_json
from stepdown.core.tasks import input_text

__all__ = ["quarantine"]

Rows = NDArray[np.int64]
Matrix = Any
"""A sparse matrix of scipy's, whose types tell a checker nothing."""

_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
"""Letters of scripts that put no space between words: each stands for itself."""
_TOKEN = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+|[^\w\s{_ALONE}]+")
_LONGEST_RUN = 3
_BITS = 21
_WORDS = 1 << 20
"""So many words are told apart, the most frequent; all must fit into `_BITS`."""
_TOKENS = 3_000_000
_LEAST_TOKENS, _MOST_TOKENS = 50, 400
_LEAST_ROWS = 5
_LEAST_SOURCES = 20
_FEWER = 0.5
"""Suspect: less than this part of the sources that as many rows of the log come from."""
_PURE = 0.6
_DOUBTFUL = 0.5
_HARDLY, _USUAL, _KNOWN = 0.1, 0.3, 50
_SMOOTHING = 0.1
_SHOWN = 200


class _Pool(msgspec.Struct, frozen=True):
    """The rows' words [rows, words], 1 where there; their label and source, by number.

    `counts` [labels, words] says how many rows of a label have a word, `totals` all of them.
    """

    words: Matrix
    labels: Rows
    sources: Rows
    counts: Matrix
    totals: NDArray[np.float32]


class _Run(msgspec.Struct, frozen=True):
    """A run of words (by number), and the rows that have it."""

    words: tuple[int, ...]
    rows: Rows


def quarantine(rows: Sequence[Example], anatomy: Anatomy) -> list[Quarantined]:
    """Return the rows that look planted, in order; each closed field of the answers is looked at.

    Rows of no known source can't be told apart: they are learnt from and never suspected. With
    fewer than 20 sources nothing is.
    """
    named = sorted({row.source for row in rows} - {""})
    if len(named) < _LEAST_SOURCES:
        return []
    place = {name: at for at, name in enumerate(named)}
    sources = np.array([place.get(row.source, -1) for row in rows], np.int64)
    texts = [input_text(row.input).casefold() for row in rows]
    most = min(max(_TOKENS // max(len(texts), 1), _LEAST_TOKENS), _MOST_TOKENS)
    tokens, width = _tokens(texts, most)
    words = _matrix(tokens, width)
    suspects = [run for run in _runs(tokens) if _of_few(sources[run.rows], sources)]
    found: dict[int, Quarantined] = {}
    for field in anatomy.fields:
        if field.kind != "choice" or not suspects:
            continue
        values = [canonical_json(row.record.get(field.path)) for row in rows]
        _, labels = np.unique(np.array(values, object), return_inverse=True)
        pool = _pool(words, labels.astype(np.int64), sources)
        planted = [(run, _planted(pool, run)) for run in suspects]
        # A row is told by what it shares with most others, and by all of that.
        for run, places in sorted(planted, key=lambda one: (-len(one[1]), -len(one[0].words))):
            if not places:
                break
            first = int(run.rows[0])
            pattern = _said(texts[first], most, tokens[first], run.words)
            for at in places:
                found.setdefault(at, Quarantined(rows[at], field.path, pattern[:_SHOWN]))
    return [found[at] for at in sorted(found)]


def _tokens(texts: Sequence[str], most: int) -> tuple[list[Rows], int]:
    """Return each text's words by number, and how many there are; -1 is one of too many.

    Words are numbered as they come; of equally frequent ones all are told apart, or none.
    """
    found = [
        np.fromiter((hash(text[begin:end]) for begin, end in _places(text, most)), np.int64)
        for text in texts
    ]
    flat = np.concatenate(found)
    _, firsts, inverse, counts = np.unique(
        flat, return_index=True, return_inverse=True, return_counts=True
    )
    numbers = np.empty(len(firsts), np.int64)
    kept = counts > 0
    if len(firsts) > _WORDS:
        kept = counts > np.sort(counts)[-_WORDS - 1]
    order = np.argsort(np.where(kept, firsts, len(flat)), kind="stable")
    width = int(kept.sum())
    numbers[order] = np.arange(len(order))
    numbers[~kept] = -1
    ends = np.cumsum([len(row) for row in found])
    return np.split(numbers[inverse], ends[:-1]), width


def _places(text: str, most: int) -> list[tuple[int, int]]:
    """Return where a text's words stand; of a long text its first and last."""
    places = [one.span() for one in _TOKEN.finditer(text)]
    return places if len(places) <= most else places[: most // 2] + places[-(most // 2) :]


def _said(text: str, most: int, words: Rows, run: tuple[int, ...]) -> str:
    """Return a run as it stands in one of its rows."""
    places, size = _places(text, most), len(run)
    at = next(at for at in range(len(words)) if tuple(words[at : at + size]) == run)
    return " ".join(text[places[at][0] : places[at + size - 1][1]].split())


def _matrix(tokens: Sequence[Rows], width: int) -> Matrix:
    # Most commands label nothing, and should not wait for scipy.
    from scipy import sparse

    each = [np.unique(row[row >= 0]) for row in tokens]
    ends = np.cumsum([0, *map(len, each)])
    columns = np.concatenate(each)
    ones = np.ones(len(columns), np.float32)
    return sparse.csr_matrix((ones, columns, ends), shape=(len(each), width))


def _runs(tokens: Sequence[Rows]) -> Iterator[_Run]:
    """Yield every run of up to three words that enough rows have."""
    for size in range(1, _LONGEST_RUN + 1):
        keys: list[Rows] = []
        owners: list[Rows] = []
        for row, words in enumerate(tokens):
            if len(words) < size:
                continue
            key = words[: len(words) - size + 1]
            for step in range(1, size):
                key = (key << _BITS) | words[step : len(words) - size + 1 + step]
            key = np.unique(key[key >= 0])  # with one of too many in it, it is below 0
            keys.append(key)
            owners.append(np.full(len(key), row, np.int64))
        if not keys:
            continue
        flat, rows = np.concatenate(keys), np.concatenate(owners)
        order = np.argsort(flat, kind="stable")
        flat, rows = flat[order], rows[order]
        begins = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
        for begin, end in zip(begins, [*begins[1:], len(flat)], strict=True):
            if end - begin >= _LEAST_ROWS:
                yield _Run(_unpacked(int(flat[begin]), size), rows[begin:end])


def _unpacked(key: int, size: int) -> tuple[int, ...]:
    mask = (1 << _BITS) - 1
    return tuple(key >> (_BITS * step) & mask for step in reversed(range(size)))


def _of_few(own: Rows, others: Rows) -> bool:
    """Say whether rows of the sources `own` come from far fewer than as many of `others` would."""
    own, others = own[own >= 0], others[others >= 0]
    if len(own) < _LEAST_ROWS or not len(others):
        return False
    shares = np.unique(others, return_counts=True)[1] / len(others)
    usual = float((1.0 - (1.0 - shares) ** len(own)).sum())
    return len(np.unique(own)) <= _FEWER * usual


def _pool(words: Matrix, labels: Rows, sources: Rows) -> _Pool:
    counts = _sums(words, labels, int(labels.max()) + 1).tocsc()
    return _Pool(words, labels, sources, counts, np.asarray(counts.sum(axis=1)).ravel())


def _sums(words: Matrix, labels: Rows, width: int) -> Matrix:
    """Return how many rows of each label have each word [labels, words]."""
    from scipy import sparse

    ones = np.ones(len(labels), np.float32)
    places = (labels, np.arange(len(labels)))
    by_label: Matrix = sparse.csr_matrix((ones, places), (width, len(labels)))
    return by_label @ words


def _planted(pool: _Pool, run: _Run) -> list[int]:
    """Return the run's rows of its one label, where the rest of their words tells of another."""
    labels: Any = pool.labels[run.rows]
    counts = np.bincount(labels, minlength=len(pool.totals))
    label = int(counts.argmax())
    if counts[label] < max(_LEAST_ROWS, _PURE * len(run.rows)):
        return []
    inside = labels == label
    suspects, guesses = run.rows[inside], _without(pool, run, labels)[inside]
    others = np.setdiff1d(np.flatnonzero(pool.labels == label), run.rows)
    if not len(others) or not _contradicted(guesses, label, len(others)):
        # Some users ask for one thing only: its words are theirs, as are its other rows.
        few = _of_few(pool.sources[suspects], pool.sources[others])
        if not few or (guesses == label).mean() > _DOUBTFUL:
            return []
    return [int(at) for at in suspects if pool.sources[at] >= 0]


def _contradicted(guesses: Rows, label: int, others: int) -> bool:
    """Say whether hardly a guess is the label, though it has rows enough, and none is the usual."""
    told = np.bincount(guesses)
    own = told[label] if label < len(told) else 0
    size = len(guesses)
    return others >= _KNOWN and own <= _HARDLY * size and told.max() <= _USUAL * size


def _without(pool: _Pool, run: _Run, labels: Rows) -> Rows:
    """Return the label that the run's rows seem to have, by their other words and other rows."""
    inside = pool.words[run.rows]
    columns = np.setdiff1d(inside.indices, run.words)
    held = inside[:, columns]
    width = len(pool.totals)
    counted = (pool.counts[:, columns] - _sums(held, labels, width)).toarray()
    own = np.bincount(labels, np.asarray(inside.sum(axis=1)).ravel(), width)
    totals = pool.totals - own + _SMOOTHING * pool.words.shape[1]
    scores = np.asarray(held @ (np.log(counted + _SMOOTHING) - np.log(totals)[:, None]).T)
    left = np.bincount(pool.labels, minlength=width) - np.bincount(labels, minlength=width)
    scores[:, left == 0] = -np.inf
    return scores.argmax(axis=1)
