"""The measures of a score, against definitions and laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.route.quality import (
    LEAST_ROWS,
    auroc,
    auroc_interval,
    brier,
    calibration_error,
    least_rows,
)

rows = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40)


@given(rows)
def test_auroc_is_the_share_of_pairs_in_the_right_order(pairs):
    hard = [s for s, is_hard in pairs if is_hard]
    easy = [s for s, is_hard in pairs if not is_hard]
    found = auroc([s for s, _ in pairs], [h for _, h in pairs])
    if not hard or not easy:
        assert found == 0.5
        return
    right = sum((h > e) + (h == e) / 2 for h in hard for e in easy)
    assert found == pytest.approx(right / len(hard) / len(easy))


@given(rows)
def test_auroc_of_the_opposite_score_is_the_rest(pairs):
    scores, hard = np.array([s for s, _ in pairs]), [h for _, h in pairs]
    assert auroc(-scores, hard) == pytest.approx(1 - auroc(scores, hard))


def test_the_interval_holds_the_area_and_narrows_with_rows():
    random = np.random.default_rng(1)
    widths = []
    for count in (100, 2000):
        hard = random.random(count) < 0.3
        scores = random.normal(hard * 0.5, 1.0)
        low, high = auroc_interval(scores, hard, draws=300)
        assert low < auroc(scores, hard) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 3


def test_calibration_error_of_true_probabilities_is_small_and_of_shifted_ones_the_shift():
    random = np.random.default_rng(2)
    true = random.random(20_000) * 0.8
    hard = random.random(20_000) < true
    assert calibration_error(true, hard) < 0.012
    assert calibration_error(true + 0.2, hard) == pytest.approx(0.2, abs=0.012)


def test_brier_of_the_base_rate_is_its_variance():
    hard = np.arange(100) < 30
    assert brier(np.full(100, 0.3), hard) == pytest.approx(0.21)


def test_least_rows_is_the_first_number_whose_interval_leaves_out_a_half():
    def low(area, n):
        one, two = area / (2 - area), 2 * area**2 / (1 + area)
        spread = (n - 1) * (one + two - 2 * area**2)
        return area - 1.959964 * math.sqrt((area * (1 - area) + spread) / n**2)

    assert least_rows(0.61) == LEAST_ROWS
    assert low(0.61, LEAST_ROWS) > 0.5 >= low(0.61, LEAST_ROWS - 1)
    assert least_rows(0.55) > 4 * LEAST_ROWS - 20
    with pytest.raises(ValueError, match="a half"):
        least_rows(0.5)
