"""Learning: what can be read off is learnt, what can't is said to be useless, few rows refused."""

import msgspec
import numpy as np
import pytest

from stepdown.errors import NotEnoughData
from stepdown.route.learn import check_rows, learn
from stepdown.route.quality import LEAST_ROWS
from stepdown.route.rows import prompted


@pytest.fixture(scope="module")
def learned(comparisons):
    return learn(comparisons)


def test_what_the_words_say_is_learnt_and_calibrated(learned):
    report = learned.report
    assert report.usable
    assert report.auroc > 0.75
    assert report.auroc_low < report.auroc < report.auroc_high
    assert report.calibration_error < 0.08
    assert report.brier_skill > 0.2
    assert (report.rows, report.hard) == (600, report.sources["x"][1])
    assert sum(rows for rows, _ in report.types.values()) == 600


def test_the_score_tells_new_calls_apart(learned):
    hard = learned.score(prompted("prove the theorem about the integral"))
    easy = learned.score(prompted("what is the colour of the menu"))
    assert hard > 0.5 > 0.3 > easy


def test_the_same_rows_make_the_same_score(comparisons, learned):
    again = learn(comparisons)
    assert again.report == learned.report
    assert (again.score.weights == learned.score.weights).all()


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_labels_are_not_usable(comparisons, seed):
    order = np.random.default_rng(seed).permutation(len(comparisons))
    rows = [
        msgspec.structs.replace(row, hard=comparisons[other].hard)
        for row, other in zip(comparisons, order, strict=True)
    ]
    report = learn(rows).report
    assert not report.usable
    assert "coin" in report.why or "base rate" in report.why


@pytest.mark.parametrize(
    ("hard", "easy", "said"),
    [
        (0, 0, f"{LEAST_ROWS} more hard and {LEAST_ROWS} more easy"),
        (LEAST_ROWS - 1, 500, "1 more hard are"),
        (500, 2, f"{LEAST_ROWS - 2} more easy"),
    ],
)
def test_too_few_rows_are_refused_with_how_many_are_missing(hard, easy, said):
    with pytest.raises(NotEnoughData, match=said):
        check_rows([True] * hard + [False] * easy)


def test_enough_rows_are_enough():
    check_rows([True] * LEAST_ROWS + [False] * LEAST_ROWS)
