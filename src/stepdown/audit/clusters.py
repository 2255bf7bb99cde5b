"""Texts of one template found among many: by pairs of tokens that always come together.

Free text has frequent phrases, but it does not have long sets of neighbouring tokens that stand in
exactly the same texts. A template's constant part is such a set.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from stepdown.audit.tokens import is_name, mask, tokens

__all__ = ["cluster"]

_WINDOW = 1500  # characters at either end of a text that are looked at
_BASE = 1 << 31
_START, _END = 0, 1  # the numbers of what stands before the first and behind the last token
_EDGE = 14  # tokens that a name, a date or an id takes at most
_OPENS, _CLOSES = 8, 4  # how much more a pair counts at the beginning and at the end
_LONG_ENOUGH = 20  # more shared pairs than this are no stronger evidence
_MIN_TEXTS = 8
_MIN_SHARE = 0.003
_COMMON_SHARE = 0.03

Ints = npt.NDArray[np.int64]


def cluster(texts: Sequence[str], common: Collection[str]) -> Ints:
    """Return each text's cluster number, or -1: those that share a long constant part.

    `common` holds words known in lower case: what looks like a name is no evidence.
    """
    labels = np.full(len(texts), -1, dtype=np.int64)
    if len(texts) < _MIN_TEXTS:
        return labels
    number = 0
    for members in _shared_sets(texts, common):
        free = members[labels[members] < 0]
        if len(free) >= max(_MIN_TEXTS, _MIN_SHARE * len(texts), 0.5 * len(members)):
            labels[free] = number
            number += 1
    return labels


def _shared_sets(texts: Sequence[str], common: Collection[str]) -> Iterator[Ints]:
    """Yield the sets of texts (their rows) that share many pairs of tokens, the best first."""
    pairs, rows, weights = _pairs(texts, common)
    order = np.argsort(pairs, kind="stable")
    pairs, rows = pairs[order], rows[order]
    starts = np.flatnonzero(np.r_[True, pairs[1:] != pairs[:-1]])
    counts = np.diff(np.r_[starts, len(pairs)])
    # A set of texts is named by the wrapping sum of its members' random numbers.
    names = np.random.default_rng(0).integers(0, 2**63, len(texts), dtype=np.uint64)
    sets = np.add.reduceat(names[rows], starts)
    # What all texts have divides nothing.
    kept = np.flatnonzero(
        (counts >= max(_MIN_TEXTS, int(_MIN_SHARE * len(texts)))) & (counts < len(texts))
    )
    unique, first, inverse = np.unique(sets[kept], return_index=True, return_inverse=True)
    kinds = pairs[starts[kept]]
    size = counts[kept[first]]
    score = _scores(kinds, inverse, size, [weights[int(kind)] for kind in kinds], len(texts))
    for at in np.lexsort((unique, -score)):
        if score[at] > 0:
            begin = starts[kept[first[at]]]
            yield rows[begin : begin + size[at]]


def _scores(
    kinds: Ints, inverse: Ints, size: Ints, weights: Sequence[float], total: int
) -> npt.NDArray[np.float64]:
    """Return how well each set of texts is made out by its pairs; 0 where they are too few."""
    strength = np.bincount(inverse, weights, minlength=len(size))
    opens = np.bincount(inverse, kinds // _BASE == _START, minlength=len(size)) > 0
    closes = np.bincount(inverse, kinds % _BASE == _END, minlength=len(size)) > 0
    frequent = size >= max(_MIN_TEXTS, _COMMON_SHARE * total)
    enough = strength >= np.where(frequent, np.where(opens | closes, 3, 4), 7)
    # Of two ways to divide the same texts the outer one counts: what they begin or end with.
    outer = np.where(opens, _OPENS, np.where(closes, _CLOSES, 1))
    return np.where(enough, size * np.minimum(strength, _LONG_ENOUGH) * outer, 0.0)


def _pairs(texts: Sequence[str], common: Collection[str]) -> tuple[Ints, Ints, dict[int, float]]:
    """Return the distinct neighbouring pairs of each text, their texts' rows, and their weights."""
    ids: dict[str, int] = {}
    known: dict[str, int] = {}
    telling = [False, False]
    found: list[int] = []
    sizes: list[int] = []
    for text in texts:
        sequence = [_START]
        for token in _window(text):
            number = ids.get(token)
            if number is None:
                masked = mask(token)
                number = ids[token] = known.setdefault(masked, len(known) + 2)
                if number == len(telling):
                    telling.append(masked[-1:].isalpha() and not is_name(masked, common))
            sequence.append(number)
        sequence.append(_END)
        unique = {a * _BASE + b for a, b in pairwise(sequence)}
        unique.add(_START * _BASE + _first(sequence[1:_EDGE], telling))
        unique.add(_first(sequence[-2:-_EDGE:-1], telling) * _BASE + _END)
        found.extend(unique)
        sizes.append(len(unique))
    pairs = np.array(found, dtype=np.int64)
    rows = np.repeat(np.arange(len(texts)), sizes)
    distinct = np.unique(pairs)
    flags = np.array(telling)
    weights = (flags[distinct // _BASE] | flags[distinct % _BASE]).astype(float)
    return pairs, rows, dict(zip(distinct.tolist(), weights.tolist(), strict=True))


def _first(sequence: Sequence[int], telling: Sequence[bool]) -> int:
    """Return the first token that is no name, number or sign: what a text truly begins with."""
    return next((token for token in sequence if telling[token]), _END)


def _window(text: str) -> list[str]:
    if len(text) <= 2 * _WINDOW:
        return tokens(text)
    return [*tokens(text[:_WINDOW]), "", *tokens(text[-_WINDOW:])]
