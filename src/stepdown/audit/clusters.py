"""Texts of one template found among many: by pairs of tokens that always come together.

Free text has frequent phrases, but it does not have long sets of neighbouring tokens that stand in
exactly the same texts. A template's constant part is such a set.
"""

from collections.abc import Collection, Sequence
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
    least = max(_MIN_TEXTS, int(_MIN_SHARE * len(texts)))
    if len(texts) < least:
        return labels
    pairs, rows, weights = _pairs(texts, common)
    order = np.argsort(pairs, kind="stable")
    pairs, rows = pairs[order], rows[order]
    starts = np.flatnonzero(np.r_[True, pairs[1:] != pairs[:-1]])
    counts = np.diff(np.r_[starts, len(pairs)])
    # A set of texts is named by the wrapping sum of its members' random numbers.
    names = np.random.default_rng(0).integers(0, 2**63, len(texts), dtype=np.uint64)
    sets = np.add.reduceat(names[rows], starts)
    kept = np.flatnonzero(counts >= least)
    unique, first, inverse = np.unique(sets[kept], return_index=True, return_inverse=True)
    strength = np.bincount(
        inverse, [weights[int(pair)] for pair in pairs[starts[kept]]], minlength=len(unique)
    )
    size = counts[kept[first]]
    # Of two ways to divide the same texts the outer one counts: what they begin or end with.
    first_pairs = pairs[starts[kept]]
    opens = np.bincount(inverse, first_pairs // _BASE == _START, minlength=len(unique)) > 0
    closes = np.bincount(inverse, first_pairs % _BASE == _END, minlength=len(unique)) > 0
    frequent = size >= max(least, _COMMON_SHARE * len(texts))
    enough = strength >= np.where(frequent, np.where(opens | closes, 3, 4), 7)
    score = size * np.minimum(strength, _LONG_ENOUGH)
    score = score * np.where(opens, _OPENS, np.where(closes, _CLOSES, 1))
    number = 0
    for at in np.lexsort((unique, -score)):
        if not enough[at]:
            continue
        begin = starts[kept[first[at]]]
        members = rows[begin : begin + size[at]]
        free = members[labels[members] < 0]
        if len(free) >= max(least, 0.5 * len(members)):
            labels[free] = number
            number += 1
    return labels


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
