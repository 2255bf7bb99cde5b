"""What a certificate takes is told before anything is paid for."""

import pytest

from stepdown.core.datasets import Dataset, SplitReport
from stepdown.label.need import need_of
from stepdown.label.pool import Pool

NOTHING = Pool((), (), (), 0)


def test_without_a_row_all_of_them_are_missing():
    need = need_of(NOTHING, None, 0.02, 0.05)
    assert (need.least, need.rows, need.have) == (149, 386, 0)
    assert need.gained(need.random) >= need.rows
    assert need.gained(need.random - 2) < need.rows
    # A part that is kept apart for the certificate is at most 40 % of what is asked.
    assert need.random <= 0.4 * need.count + 1


@pytest.mark.parametrize(("have", "random"), [(386, 0), (2000, 0), (200, 259)])
def test_what_the_dataset_has_is_not_asked_again(have, random):
    dataset = Dataset("d", "t", (), SplitReport(900, have, 100))
    need = need_of(NOTHING, dataset, 0.02, 0.05)
    assert (need.have, need.random) == (have, random)
    assert need.count == (648 if random else 0)


def test_a_tight_budget_takes_more_but_never_without_bound():
    assert need_of(NOTHING, None, 0.01, 0.05).rows == 773
    assert need_of(NOTHING, None, 0.0005, 0.05).count == 3000
