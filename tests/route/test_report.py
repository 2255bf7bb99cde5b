"""A report's own figures."""

import pytest

from stepdown.route.report import Report


def test_rates_and_skill_come_from_the_counts():
    report = Report(
        rows=200,
        hard=50,
        sources={},
        types={},
        auroc=0.7,
        auroc_low=0.6,
        auroc_high=0.8,
        calibration_error=0.02,
        brier=0.15,
        brier_base=0.1875,
        calibration="platt",
        usable=True,
        why="",
    )
    assert report.base_rate == 0.25
    assert report.brier_skill == pytest.approx(0.2)
    assert report.headline == "AUROC 0.700 (95 %: 0.600 to 0.800), calibration error 0.020"
