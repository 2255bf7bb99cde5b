"""The classification benchmark measures what it says, on a small set."""

from tests.cli.bench.small import labelled, write_set

from stepdown.cli.bench import classification
from stepdown.core.ports import silent


def test_easy_labels_are_learnt_and_certified(tmp_path, monkeypatch):
    write_set(tmp_path, "banking77", labelled(1200))
    monkeypatch.setattr(classification, "CALIBRATION_ROWS", 300)
    figures = {figure.name: figure for figure in classification.banking77(tmp_path, silent)}
    assert figures["test accuracy, %"].number > 95
    assert figures["answered on test, certified joint 2 %, %"].number > 80
    assert 0 <= figures["violations over 100 fresh splits"].number <= 100


def test_latency_compares_with_scikit_learn(tmp_path):
    write_set(tmp_path, "banking77", labelled(300))
    ours, theirs = classification.latency(tmp_path, silent)
    assert ours.number > 0
    assert theirs.number > 0
