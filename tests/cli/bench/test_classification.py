"""The classification benchmark measures what it says, on a small set."""

from tests.cli.bench.small import labelled, write_set

from stepdown.cli.bench import classification
from stepdown.core.ports import silent


def test_easy_labels_are_learnt_and_certified(tmp_path, monkeypatch):
    write_set(tmp_path, "banking77", labelled(1200))
    monkeypatch.setattr(classification, "CALIBRATION_ROWS", 300)
    monkeypatch.setattr(classification, "DRAWS", 50)
    figures = {figure.name: figure for figure in classification.banking77(tmp_path, silent)}
    assert figures["test accuracy, %"].number > 95
    assert figures["answered on test, certified joint 2 %, %"].number > 80
    assert 0 <= figures["violations per 100 fresh splits, mean over 50"].number <= 100


def test_a_shift_is_measured_beside_its_own_rows(tmp_path, monkeypatch):
    write_set(tmp_path, "clinc150", labelled(1500))
    monkeypatch.setattr(classification, "CALIBRATION_ROWS", 200)
    own, others, everything = classification.shift(tmp_path, silent)
    assert own.number < 2
    assert "other writers" in others.name
    assert everything.note == others.note


def test_latency_compares_with_scikit_learn(tmp_path):
    write_set(tmp_path, "banking77", labelled(300))
    ours, theirs = classification.latency(tmp_path, silent)
    assert ours.number > 0
    assert theirs.number > 0
