"""Exact binomial bounds, and the threshold rules whose promise they carry.

With probability at least 1 − `delta` over the draw of the calibration rows, the risk at the
threshold that a rule returns is at most its budget. The rows have to be independent draws from the
traffic that is promised about, and nothing may have been trained or chosen on them. "Accepted at λ"
always means score ≥ λ; a score that is NaN or -inf is never accepted, and an abstention has one.
"""

from typing import Any, cast

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "GRID",
    "NEVER",
    "accepted_and_lost",
    "accepted_and_wrong",
    "cp_interval",
    "cp_upper",
    "cp_upper_each",
    "fixed_sequence",
    "fixed_sequence_of_losses",
    "mean_upper",
    "rows_needed",
    "selective_ltt",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# scipy ships no types.
_beta_quantile: Any = cast("Any", scipy.special).betaincinv
_binomial_cdf: Any = cast("Any", scipy.special).bdtr
_x_log_ratio: Any = cast("Any", scipy.special).rel_entr

NEVER = float("-inf")
"""The score of an abstention."""

PATHS: tuple[tuple[float, float], ...] = ((1.0, 0.60), (0.85, 0.25), (0.65, 0.15))
"""Of each path of the selective rule: its start as a share of q0, and its share of delta."""

_TUNING_DELTA = 0.25
_GRID_POINTS = 801


def _fixed_grid() -> Floats:
    """Return thresholds from 1 down to 0, evenly spaced in log-odds.

    Fixed before any data is seen, as the proofs demand. Even log-odds resolve confidences that
    crowd near 1, where thresholds matter most, as well as those that spread over [0, 1].
    """
    inner = 1.0 / (1.0 + np.exp(-np.linspace(25.0, -8.0, _GRID_POINTS - 2)))
    return np.concatenate(([1.0], inner, [0.0]))


GRID: Floats = _fixed_grid()
"""The thresholds that certification walks through, strictest first."""


def cp_upper(errors: int, n: int, delta: float) -> float:
    """Return the one-sided Clopper-Pearson upper bound of a rate, at level 1 − `delta`.

    Beta.ppf(1 − delta, errors + 1, n − errors); 1.0 when every row (or no row at all) is wrong.
    """
    return float(cp_upper_each([errors], [n], delta)[0])


def cp_upper_each(errors: ArrayLike, n: ArrayLike, delta: float) -> Floats:
    """Return `cp_upper` of each pair of counts."""
    k, rows = np.broadcast_arrays(np.asarray(errors, float), np.asarray(n, float))
    bound = np.ones(k.shape)
    inside = k < rows
    bound[inside] = _beta_quantile(k[inside] + 1.0, rows[inside] - k[inside], 1.0 - delta)
    return bound


def cp_interval(count: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the two-sided Clopper-Pearson interval of a share; (0, 1) when there are no rows."""
    tail = (1.0 - confidence) / 2.0
    return (0.0 if n == 0 else 1.0 - cp_upper(n - count, n, tail)), cp_upper(count, n, tail)


def rows_needed(budget: float, delta: float, errors: int = 0) -> int:
    """Return the least n for which `cp_upper(errors, n, delta)` is at most `budget`.

    Without errors that is ln(delta) / ln(1 − budget), rounded up.

    Raises:
        ValueError: `budget` or `delta` is not strictly between 0 and 1.
    """
    if not (0.0 < budget < 1.0 and 0.0 < delta < 1.0):
        raise ValueError(f"budget {budget} and delta {delta} have to lie between 0 and 1")
    low, high = errors, errors + 1
    while cp_upper(errors, high, delta) > budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if cp_upper(errors, middle, delta) <= budget else (middle, high)
    return high


def accepted_and_wrong(scores: ArrayLike, wrong: ArrayLike, grid: Floats) -> tuple[Counts, Counts]:
    """Return how many rows are accepted at each threshold of `grid`, and how many of those err."""
    values = np.nan_to_num(np.asarray(scores, float), nan=NEVER, posinf=np.inf, neginf=NEVER)
    flags = np.asarray(wrong, bool)
    return _at_least(values, grid), _at_least(values[flags], grid)


def accepted_and_lost(scores: ArrayLike, losses: ArrayLike, grid: Floats) -> tuple[Counts, Floats]:
    """Return how many rows are accepted at each threshold of `grid`, and what they lose in sum."""
    values = np.nan_to_num(np.asarray(scores, float), nan=NEVER, posinf=np.inf, neginf=NEVER)
    order = np.argsort(-values, kind="stable")
    sums = np.concatenate(([0.0], np.cumsum(np.asarray(losses, float)[order])))
    accepted = _at_least(values, grid)
    return accepted, sums[accepted]


def _at_least(values: Floats, grid: Floats) -> Counts:
    return (len(values) - np.searchsorted(np.sort(values), grid, side="left")).astype(np.int64)


def _walk(passes: NDArray[np.bool_], grid: Floats) -> float | None:
    """Return the last threshold before the first failure, or None when the first one fails."""
    failures = np.flatnonzero(~passes)
    steps = int(failures[0]) if len(failures) else len(passes)
    return float(grid[steps - 1]) if steps else None


def fixed_sequence(
    scores: ArrayLike, wrong: ArrayLike, budget: float, delta: float, grid: Floats = GRID
) -> float | None:
    """Return the loosest threshold that certifies the *joint* contract, or None.

    P(accept and wrong) ≤ `budget`, by fixed-sequence testing from the strictest threshold of `grid`
    (descending, fixed in advance) to looser ones; the first failure ends the walk. The risk grows
    with looser thresholds, so testing them in turn costs no multiplicity (Bates et al. 2021, RCPS;
    Angelopoulos et al. 2021, Learn then Test, §3). A threshold at which nothing is accepted may be
    returned: it keeps the promise by never answering.
    """
    flags = np.asarray(wrong, bool)
    _, errors = accepted_and_wrong(scores, flags, grid)
    return _walk(cp_upper_each(errors, len(flags), delta) <= budget, grid)


def fixed_sequence_of_losses(
    scores: ArrayLike, losses: ArrayLike, budget: float, delta: float
) -> float | None:
    """Return what `fixed_sequence` returns, for losses in [0, 1] instead of right and wrong.

    E[loss of what is answered] ≤ `budget`, over all rows; a row that is not accepted loses nothing.
    Each threshold is tested by the Hoeffding-Bentkus p-value (Bates et al. 2021, RCPS, §3.1).
    """
    rows = np.asarray(losses, float)
    if not len(rows):
        return None
    _, lost = accepted_and_lost(scores, rows, GRID)
    return _walk(_hoeffding_bentkus(lost, len(rows), budget) <= delta, GRID)


def mean_upper(total: float, n: int, delta: float) -> float:
    """Return the one-sided upper bound of a mean of losses in [0, 1], at level 1 − `delta`.

    `total` is the sum of `n` independent losses; the least mean that the Hoeffding-Bentkus test
    rejects, 1.0 where it rejects none.
    """
    if n == 0 or total >= n:
        return 1.0
    low, high = total / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        rejected = float(_hoeffding_bentkus(np.array([total]), n, middle)[0]) <= delta
        low, high = (low, middle) if rejected else (middle, high)
    return high


def _hoeffding_bentkus(totals: Floats, n: int, mean: float) -> Floats:
    """Return p-values of "the mean is larger than `mean`" for sums of `n` losses in [0, 1].

    min{exp(−n h1(min(R, a), a)), e P[Bin(n, a) ≤ ceil(n R)]} (statistics.md §6.5).
    """
    rates = np.minimum(totals / n, mean)
    divergence = _x_log_ratio(rates, mean) + _x_log_ratio(1.0 - rates, 1.0 - mean)
    # A sum of floats must not be rounded up for its last bit.
    counts = np.minimum(np.ceil(totals - 1e-9), n)
    return np.minimum(np.exp(-n * divergence), np.e * _binomial_cdf(counts, n, mean))


def selective_ltt(
    calibration: tuple[ArrayLike, ArrayLike],
    tuning: tuple[ArrayLike, ArrayLike],
    budget: float,
    delta: float,
) -> float | None:
    """Return the loosest threshold that certifies the *selective* contract, or None.

    P(wrong | accept) ≤ `budget`. Both samples are (scores, wrong) and share no row. The tuning rows
    pick q0, the largest coverage with CP_upper(k, m, 0.25) ≤ budget; on the calibration rows three
    fixed-sequence paths start at 1, 0.85 and 0.65 of q0 with 0.60, 0.25 and 0.15 of `delta`. Given
    how many rows are accepted, the errors among them are binomial; Bonferroni over the paths keeps
    the family-wise error at `delta` (Learn then Test with a data-split start).
    """
    accepted, errors = accepted_and_wrong(*tuning, GRID)
    promising = np.flatnonzero(cp_upper_each(errors, accepted, _TUNING_DELTA) <= budget)
    if not len(promising):
        return None
    most = int(accepted[promising[-1]])
    rows, wrong = accepted_and_wrong(*calibration, GRID)
    passed: list[float] = []
    for share, part in PATHS:
        # Ties can leave no threshold with so small a coverage: the path then starts strictest.
        start = max(0, int(np.searchsorted(accepted, share * most, side="right")) - 1)
        bound = cp_upper_each(wrong[start:], rows[start:], part * delta)
        found = _walk(bound <= budget, GRID[start:])
        if found is not None:
            passed.append(found)
    return min(passed, default=None)
