"""The novelty model: held-out training rows say how unlike the rest an ordinary input is.

Every signal is scored on rows that the model of their fold has not seen, and turned into a
surprise: -ln of the share of held-out rows with at least that score, a conformal p-value on a log
scale (Vovk et al., *Algorithmic Learning in a Random World*, 2005, §2.2; Bates et al., *Testing for
outliers with conformal p-values*, 2023). The largest surprise counts, each less the logarithm of
its share of the alarms (weighted Bonferroni), and that number is put on the scale of held-out rows
again, so that the novelty of an ordinary input is even over [0, 1].
"""

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stepdown.students.novelty.nearness import Vectors, distance, fit_centres, unit_rows
from stepdown.students.novelty.tails import Tail, fit_tail
from stepdown.students.novelty.wording import (
    BUCKETS,
    MANY,
    WORD_BUCKETS,
    count_grams,
    count_words,
    grams_of,
    log_shares,
    oddness,
    rarity,
    words_of,
)

__all__ = ["Novelty", "Numbers", "fit_novelty", "restored"]

_LEAST_ROWS = 30
_ALARMS = {"meaning": 0.985, "odd": 0.005, "long": 0.005, "short": 0.005}
"""How the alarms are shared: what is out of scope is common, the other things hardly happen."""
_WEIGHTS = (1.0, 0.5, 1.0)
"""How much the signals of meaning count: distance, rarest word, claim."""
_LEAST_SPREADS = (0.01, 0.5, 0.01)
"""Signals that hardly vary in training must not drown the others."""
_PENALTIES = {name: math.log(share) for name, share in _ALARMS.items()}


class Numbers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of a novelty model that is no array.

    `centre` and `spread` standardise the signals of meaning: the distance, the rarest word's
    rarity, then minus the claim where there is one. `usual` is the median length in characters,
    `blank` whether training had empty inputs, `whole` the tail of the joined surprise.
    """

    centre: tuple[float, ...]
    spread: tuple[float, ...]
    usual: float
    blank: bool
    meaning: Tail
    odd: Tail
    long: Tail
    short: Tail
    whole: Tail

    @property
    def sound(self) -> bool:
        """Say whether these can be a novelty model's numbers."""
        tails = (self.meaning, self.odd, self.long, self.short, self.whole)
        scales = (*self.centre, *self.spread, self.usual)
        return (
            all(tail.sound for tail in tails)
            and all(map(math.isfinite, scales))
            and len(self.centre) == len(self.spread)
            and len(self.centre) in (2, 3)
            and min(*self.spread, self.usual, math.inf) > 0
        )


class Novelty(msgspec.Struct, frozen=True):
    """A fitted model.

    `centres` float32 [centres, size] of length 1; `shares` float32 [BUCKETS], ln of the share of
    training texts with each trigram; `words` uint8 [WORD_BUCKETS], how many have each word, at most
    255.
    """

    numbers: Numbers
    centres: Vectors
    shares: NDArray[np.float32]
    words: NDArray[np.uint8]

    def score(self, text: str, vector: NDArray[np.floating], claim: float | None = None) -> float:
        """Return the share of training inputs that are less novel than this one, in [0, 1].

        `vector` is the family's vector of the text, as in training; `claim` how loudly the
        likeliest class claims it (its head's largest decision value), None where there is none.
        An empty text is as novel as can be, unless training had some; so is a vector or a claim
        that is not finite.
        """
        numbers = self.numbers
        if not numbers.blank and (not text or text.isspace()):
            return 1.0
        far = distance(vector, self.centres)
        near = _meaning(numbers, far, rarity(words_of(text), self.words), claim)
        odd = oddness(grams_of(text), self.shares, numbers.usual)
        return -math.expm1(-numbers.whole.surprise(_joined(numbers, near, odd, len(text))))

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays to be saved, by name."""
        return {"centres": self.centres, "shares": self.shares, "words": self.words}


def restored(numbers: Numbers, arrays: dict[str, NDArray[Any]], size: int) -> Novelty:
    """Return the model of what was saved, for vectors of `size` numbers.

    Raises:
        ValueError: it can't be one of these; the message says what is wrong.
    """
    if not numbers.sound:
        raise ValueError("the numbers of its novelty model are not in order")
    for name, (kind, dimensions, last) in {
        "centres": (np.float32, 2, size),
        "shares": (np.float32, 1, BUCKETS),
        "words": (np.uint8, 1, WORD_BUCKETS),
    }.items():
        array = arrays.get(name)
        if array is None or array.dtype != kind or array.ndim != dimensions:
            raise ValueError(f"the array {name!r} of its novelty model is missing or of no use")
        if array.shape[-1] != last or not len(array) or not np.isfinite(array).all():
            raise ValueError(f"the array {name!r} of its novelty model is of another size")
    return Novelty(numbers, arrays["centres"], arrays["shares"], arrays["words"])


def _meaning(numbers: Numbers, far: float, rare: float, claim: float | None) -> float:
    """Return the weighted sum of the signals, standardised; a missing claim is an ordinary one."""
    centre, spread = numbers.centre, numbers.spread
    total = (
        _WEIGHTS[0] * (far - centre[0]) / spread[0] + _WEIGHTS[1] * (rare - centre[1]) / spread[1]
    )
    if len(centre) == 2 or claim is None:
        return total
    return total + _WEIGHTS[2] * (-claim - centre[2]) / spread[2]


def _joined(numbers: Numbers, near: float, odd: float, length: int) -> float:
    """Return the largest surprise of all signals, each weighed by its share of the alarms."""
    size = math.log1p(length)
    return max(
        numbers.meaning.surprise(near) + _PENALTIES["meaning"],
        numbers.odd.surprise(odd) + _PENALTIES["odd"],
        numbers.long.surprise(size) + _PENALTIES["long"],
        numbers.short.surprise(-size) + _PENALTIES["short"],
    )


class _Rows(msgspec.Struct, frozen=True):
    """All training rows, with how many of their texts have each trigram and each word."""

    texts: Sequence[str]
    unit: Vectors
    folds: NDArray[np.intp]
    classes: NDArray[np.intp] | None
    grams: NDArray[np.float64]
    words: NDArray[np.int64]


class _HeldOut(msgspec.Struct, frozen=True):
    """The signals of the held-out rows: float64 [rows] each; `unclaimed` without claims None."""

    far: NDArray[np.float64]
    rare: NDArray[np.float64]
    odd: NDArray[np.float64]
    lengths: NDArray[np.intp]
    unclaimed: NDArray[np.float64] | None


def fit_novelty(
    texts: Sequence[str],
    vectors: NDArray[np.floating],
    folds: NDArray[np.intp],
    *,
    classes: NDArray[np.intp] | None = None,
    claims: NDArray[np.float64] | None = None,
) -> Novelty | None:
    """Return the novelty model of some training rows, or None where fewer than 30 can be held out.

    `texts` are the inputs, `vectors` float [rows, size] the family's vectors of them, `folds` int
    [rows] the fold of each row: alike rows (a caller's, near-duplicates) belong into one fold.
    `classes` int [rows] are the indices of the labels or tools, -1 for none: each class then has
    centres of its own. `claims` float [rows] are the largest decision values of held-out rows by
    heads that were not trained on them, NaN where there is none; give them only if `score` will be
    given its claim too. The same rows give the same model.
    """
    unit = unit_rows(vectors)
    judged = np.ones(len(texts), bool) if claims is None else np.isfinite(claims)
    if judged.sum() < _LEAST_ROWS or len(np.unique(folds)) < 2:
        return None
    lengths = np.array([len(text) for text in texts])
    usual = max(float(np.median(lengths)), 1.0)
    rows = _Rows(texts, unit, folds, classes, count_grams(texts), count_words(texts))
    far, rare, odd = _signals(rows, judged, usual)[:, judged]
    unclaimed = None if claims is None else -claims[judged]
    blank = any(not text or text.isspace() for text in texts)
    return Novelty(
        _numbers(_HeldOut(far, rare, odd, lengths[judged], unclaimed), usual, blank),
        fit_centres(unit, classes),
        log_shares(rows.grams, len(texts)),
        _clipped(rows.words),
    )


def _signals(rows: _Rows, judged: NDArray[np.bool_], usual: float) -> NDArray[np.float64]:
    """Return distance, rarity and oddness of the judged rows, as seen from the other folds."""
    found = np.full((3, len(rows.texts)), np.nan)
    for fold in np.unique(rows.folds[judged]).tolist():
        rest = rows.folds != fold
        own = [rows.texts[row] for row in np.flatnonzero(~rest).tolist()]
        others = len(rows.texts) - len(own)
        classes = None if rows.classes is None else rows.classes[rest]
        centres = fit_centres(rows.unit[rest], classes)
        shares = log_shares(rows.grams - count_grams(own), others)
        words = _clipped(rows.words - count_words(own))
        for row in np.flatnonzero(~rest & judged).tolist():
            text = rows.texts[row]
            found[:, row] = (
                distance(rows.unit[row], centres),
                rarity(words_of(text), words, len(rows.texts) / others),
                oddness(grams_of(text), shares, usual),
            )
    return found


def _clipped(counts: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.minimum(counts, MANY).astype(np.uint8)


def _numbers(held: _HeldOut, usual: float, blank: bool) -> Numbers:
    columns = [held.far, held.rare, *([] if held.unclaimed is None else [held.unclaimed])]
    centre = [float(column.mean()) for column in columns]
    spread = [max(float(c.std()), s) for c, s in zip(columns, _LEAST_SPREADS, strict=False)]
    near = np.zeros(len(held.far))
    for column, middle, width, weight in zip(columns, centre, spread, _WEIGHTS, strict=False):
        near += weight * (column - middle) / width
    sizes = np.log1p(held.lengths)
    nothing = fit_tail([0.0])
    numbers = Numbers(
        tuple(centre),
        tuple(spread),
        usual,
        blank,
        fit_tail(near),
        fit_tail(held.odd),
        fit_tail(sizes),
        fit_tail(-sizes),
        nothing,
    )
    rows = zip(near.tolist(), held.odd.tolist(), held.lengths.tolist(), strict=True)
    return msgspec.structs.replace(
        numbers, whole=fit_tail([_joined(numbers, *row) for row in rows])
    )
