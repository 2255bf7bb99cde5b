"""The bounds contain what they claim, and the threshold rules keep their promise (C-2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from stepdown.core.stats import (
    GRID,
    NEVER,
    accepted_and_wrong,
    cp_interval,
    cp_upper,
    cp_upper_each,
    fixed_sequence,
    fixed_sequence_of_losses,
    mean_upper,
    rows_needed,
    selective_ltt,
)

counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.floats(0.001, 0.5)


@given(counts, levels)
def test_the_upper_bound_lies_above_the_estimate_and_is_exact(pair, delta):
    k, n = pair
    bound = cp_upper(k, n, delta)
    assert k / n <= bound <= 1.0
    if k < n:
        assert bound == pytest.approx(float(beta.ppf(1 - delta, k + 1, n - k)), rel=1e-9)
        assert binom.cdf(k, n, bound) == pytest.approx(delta, rel=1e-6)


@given(counts, levels)
def test_the_upper_bound_is_monotone_in_errors_rows_and_level(pair, delta):
    k, n = pair
    bound = cp_upper(k, n, delta)
    assert cp_upper(k, n + 1, delta) <= bound
    assert cp_upper(min(k + 1, n), n, delta) >= bound
    assert cp_upper(k, n, delta / 2) >= bound


@given(counts, st.floats(0.5, 0.999))
def test_an_interval_contains_its_estimate_and_mirrors(pair, confidence):
    k, n = pair
    low, high = cp_interval(k, n, confidence)
    assert 0.0 <= low <= k / n <= high <= 1.0
    other_low, other_high = cp_interval(n - k, n, confidence)
    assert (low, high) == pytest.approx((1 - other_high, 1 - other_low), abs=1e-9)


def test_no_rows_say_nothing():
    assert cp_upper(0, 0, 0.05) == 1.0
    assert cp_interval(0, 0) == (0.0, 1.0)


@given(st.floats(0.02, 0.98), st.integers(5, 200))
def test_intervals_cover_the_truth_as_often_as_they_say(rate, n):
    probabilities = binom.pmf(np.arange(n + 1), n, rate)
    covered = [low <= rate <= high for low, high in (cp_interval(k, n) for k in range(n + 1))]
    assert probabilities[covered].sum() >= 0.95 - 1e-9


@pytest.mark.parametrize(
    ("budget", "row"),
    [
        (0.01, (299, 473, 628, 773, 1049, 1693)),
        (0.02, (149, 236, 313, 386, 523, 845)),
        (0.03, (99, 157, 208, 257, 348, 562)),
        (0.05, (59, 93, 124, 153, 208, 336)),
    ],
)
def test_the_sample_size_table(budget, row):
    """The attribute-sampling table at 95 % assurance; each entry is checked by the binomial."""
    for errors, n in zip((0, 1, 2, 3, 5, 10), row, strict=True):
        assert rows_needed(budget, 0.05, errors) == n
        assert binom.cdf(errors, n, budget) <= 0.05 < binom.cdf(errors, n - 1, budget)


@given(st.floats(0.005, 0.5), levels, st.integers(0, 12))
def test_rows_needed_is_the_least_that_passes(budget, delta, errors):
    n = rows_needed(budget, delta, errors)
    assert cp_upper(errors, n, delta) <= budget < cp_upper(errors, n - 1, delta)


@pytest.mark.parametrize(("budget", "delta"), [(0.0, 0.05), (1.0, 0.05), (0.02, 0.0)])
def test_rows_needed_refuses_what_no_sample_can_show(budget, delta):
    with pytest.raises(ValueError, match="between 0 and 1"):
        rows_needed(budget, delta)


def test_the_grid_walks_from_one_to_zero():
    assert GRID[0] == 1.0
    assert GRID[-1] == 0.0
    assert (np.diff(GRID) < 0).all()


score_lists = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 1), st.sampled_from([1.0, NEVER, float("nan")])), st.booleans()
    ),
    max_size=60,
)


@given(score_lists)
def test_counts_are_those_of_the_definition(rows):
    scores = [score for score, _ in rows]
    wrong = [flag for _, flag in rows]
    grid = GRID[::40]
    accepted, errors = accepted_and_wrong(scores, wrong, grid)
    for at, threshold in enumerate(grid):
        assert accepted[at] == sum(score >= threshold for score in scores)
        assert errors[at] == sum(score >= threshold and bad for score, bad in rows)


@given(score_lists, st.floats(0.02, 0.6))
def test_the_joint_rule_is_the_walk_as_written(rows, budget):
    """Statistics reference §6.2, word for word."""
    scores = [score for score, _ in rows]
    wrong = [flag for _, flag in rows]
    expected = None
    for threshold in GRID[::40]:
        k = sum(score >= threshold and bad for score, bad in rows)
        if cp_upper(k, len(rows), 0.05) > budget:
            break
        expected = float(threshold)
    assert fixed_sequence(scores, wrong, budget, 0.05, GRID[::40]) == expected


def test_one_atom_of_confidences_is_taken_whole_or_not_at_all():
    scores = np.ones(400)
    wrong = np.zeros(400, bool)
    assert fixed_sequence(scores, wrong, 0.02, 0.05) == 0.0
    wrong[:20] = True
    assert fixed_sequence(scores, wrong, 0.02, 0.05) is None
    wrong[:] = False
    assert selective_ltt((scores, wrong), (scores, wrong), 0.02, 0.05) == 0.0


def test_abstentions_and_nan_are_never_accepted():
    scores = [float("nan")] * 100 + [NEVER] * 100
    assert fixed_sequence(scores, [True] * 200, 0.02, 0.05) == 0.0
    assert accepted_and_wrong(scores, [True] * 200, GRID)[0].sum() == 0


def test_too_few_rows_certify_nothing():
    assert fixed_sequence([0.9] * 148, [False] * 148, 0.02, 0.05) is None
    assert fixed_sequence([0.9] * 149, [False] * 149, 0.02, 0.05) is not None
    few = ([0.9] * 20, [False] * 20)
    assert selective_ltt(few, ([0.9] * 500, [False] * 500), 0.02, 0.05) is None
    assert selective_ltt(([0.9] * 500, [False] * 500), few, 0.02, 0.05) is None


def population(shape, peak):
    """Return P(wrong | score): falling in the score, from `peak`."""
    return lambda scores: peak * (1.0 - scores) ** shape


def draw(random, risk, n):
    # Rounding makes ties: half of the rows share a few confidences.
    scores = random.beta(3, 1, n)
    scores = np.where(random.random(n) < 0.5, scores, scores.round(1))
    return scores, random.random(n) < risk(scores)


def naive(scores, wrong, budget, selective):
    """Return the loosest threshold whose point estimate keeps the budget."""
    accepted, errors = accepted_and_wrong(scores, wrong, GRID)
    total = np.maximum(accepted, 1) if selective else len(wrong)
    good = np.flatnonzero(errors / total <= budget)
    return float(GRID[good[-1]]) if len(good) else None


RUNS = 500


@pytest.mark.parametrize("selective", [False, True])
def test_c2_the_promise_holds_where_point_estimates_break_it(selective):
    random = np.random.default_rng(20261123)
    budget, delta, n = 0.03, 0.05, 1000
    broken = {"certified": 0, "naive": 0}
    covered = 0.0
    for run in range(RUNS):
        risk = population(shape=1 + run % 3, peak=0.3 + 0.1 * (run % 4))
        fresh = draw(random, risk, 20_000)
        truth = risk(fresh[0])
        rows = draw(random, risk, n)
        rules = {
            "certified": selective_ltt(rows, draw(random, risk, n), budget, delta)
            if selective
            else fixed_sequence(*rows, budget, delta),
            "naive": naive(*rows, budget, selective),
        }
        for name, threshold in rules.items():
            if threshold is None:
                continue
            accept = fresh[0] >= threshold
            total = max(accept.sum(), 1) if selective else len(truth)
            broken[name] += truth[accept].sum() / total > budget
            covered += accept.mean() if name == "certified" else 0.0
    # 500 runs at 5 %: 25 expected at most, 37 is the 99.5 % quantile.
    assert broken["certified"] <= binom.ppf(0.995, RUNS, delta)
    assert broken["naive"] > 0.25 * RUNS
    assert covered / RUNS > 0.05


def test_bounds_of_many_counts_at_once_are_those_of_each():
    errors, rows = np.array([0, 3, 10, 7]), np.array([100, 100, 200, 7])
    expected = [cp_upper(int(k), int(n), 0.05) for k, n in zip(errors, rows, strict=True)]
    assert cp_upper_each(errors, rows, 0.05).tolist() == expected


losses = st.lists(st.floats(0, 1), min_size=1, max_size=200)


@given(losses, st.floats(0.001, 0.4))
def test_the_bound_of_a_mean_lies_above_it_and_falls_with_rows(values, delta):
    total, n = sum(values), len(values)
    bound = mean_upper(total, n, delta)
    assert total / n - 1e-9 <= bound <= 1.0
    assert mean_upper(2 * total, 2 * n, delta) <= bound + 1e-9
    assert mean_upper(total, n, delta / 2) >= bound - 1e-9


def test_the_bound_of_a_mean_of_nothing_is_one():
    assert mean_upper(0.0, 0, 0.05) == 1.0
    assert mean_upper(5.0, 5, 0.05) == 1.0


def test_the_bound_of_a_mean_holds_as_often_as_it_says():
    chance = np.random.default_rng(1)
    for rows in (chance.beta(0.2, 4.0, (2000, 150)), chance.binomial(1, 0.05, (2000, 150))):
        truth = rows.mean()
        held = np.mean([mean_upper(float(row.sum()), 150, 0.1) >= truth for row in rows])
        assert held >= 0.9


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=150),
    st.floats(0.01, 0.5),
)
def test_a_certified_mean_loss_is_within_budget(rows, budget):
    scores, values = map(np.array, zip(*rows, strict=True))
    found = fixed_sequence_of_losses(scores, values, budget, 0.05)
    if found is not None:
        taken = values[scores >= found]
        assert mean_upper(float(taken.sum()), len(rows), 0.05) <= budget + 1e-9


def test_of_no_rows_nothing_is_certified():
    assert fixed_sequence_of_losses([], [], 0.1, 0.05) is None


def test_violations_of_graded_certificates_stay_below_delta():
    chance = np.random.default_rng(2)
    broken = 0
    for _ in range(300):
        scores = chance.uniform(size=400)
        values = np.clip(chance.normal(1 - scores, 0.2), 0, 1) * chance.binomial(1, 0.3, 400)
        found = fixed_sequence_of_losses(scores, values, 0.05, 0.1)
        if found is not None:
            fresh = chance.uniform(size=20_000)
            lost = np.clip(chance.normal(1 - fresh, 0.2), 0, 1) * chance.binomial(1, 0.3, 20_000)
            broken += float((lost * (fresh >= found)).mean()) > 0.05
    assert broken <= 30
