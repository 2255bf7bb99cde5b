"""One formula of cost; what is unknown makes unknown, and nothing is free for that."""

import pytest

from stepdown.core.costs import cascade_usd, cpu_usd, own_usd


def test_a_core_is_paid_by_the_second():
    assert cpu_usd(7200, 0.04) == pytest.approx(0.08)
    # A thousand calls of 3.6 ms are 3.6 s.
    assert own_usd(3.6, 10.0) == pytest.approx(0.01)
    assert own_usd(3.6, 10.0, 0.5) == pytest.approx(0.51)


def test_a_student_is_paid_on_every_call_and_the_teacher_on_some():
    assert cascade_usd(5.0, 0.1, 0.8, 0.05) == pytest.approx(5.0 * (0.2 + 0.04) + 0.1)
    assert cascade_usd(5.0, 0.1, 0.0, 0.05) == pytest.approx(5.1)


def test_what_is_unknown_makes_unknown():
    assert own_usd(None, 0.04) is own_usd(1.0, 0.04, None) is None
    assert cascade_usd(None, 0.1, 0.8, 0.02) is cascade_usd(5.0, None, 0.8, 0.02) is None
