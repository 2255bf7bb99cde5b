"""How many answers a certificate takes, before any is paid for."""

import math

import msgspec

from stepdown.core.datasets import Dataset
from stepdown.core.stats import rows_needed
from stepdown.label.heldout import KEPT_APART
from stepdown.label.pool import Pool

__all__ = ["Need", "need_of"]

_ERRORS = 3
_CERTIFY = 0.8
_KEPT = 0.9
_ENOUGH = 0.95
_LEAST, _MOST = 300, 3000


class Need(msgspec.Struct, frozen=True):
    """What a certificate takes: `least` calibration rows without an error, `rows` with three.

    There are `have`. `random` inputs asked at random bring the rest, with `count` questions in all:
    what is chosen beside them trains. Both are 0 where nothing is missing.
    """

    least: int
    rows: int
    have: int
    random: int
    count: int

    def gained(self, asked: int) -> int:
        """Return about how many calibration rows that many inputs asked at random bring."""
        return math.floor(asked * _CERTIFY * _KEPT)


def need_of(
    pool: Pool, dataset: Dataset | None, budget: float, delta: float, before: int = 0
) -> Need:
    """Return what a certificate within `budget` takes, and what of it is there.

    Of the inputs that may be held out a fifth tests, and about a tenth is like one that trains. The
    dataset was made when `before` of the inputs that are kept apart were asked.
    """
    rows = rows_needed(budget, delta, _ERRORS)
    asked = sum(one.asked for one in pool.apart)
    if dataset is not None:
        have = dataset.report.calibration + math.floor((asked - before) * _CERTIFY * _KEPT)
    else:
        logged = sum(one.coin < KEPT_APART for one in pool.answered)
        have = math.floor((asked + logged) * _CERTIFY * _KEPT)
    # A few rows more or less make no difference, and are not worth a run.
    missing = rows - have if have < _ENOUGH * rows else 0
    random = math.ceil(missing / (_CERTIFY * _KEPT))
    count = min(max(_LEAST, math.ceil(random / KEPT_APART)), _MOST) if missing else 0
    return Need(rows_needed(budget, delta), rows, have, random, count)
