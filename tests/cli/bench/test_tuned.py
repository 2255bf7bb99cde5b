"""The fine-tuned encoder's benchmark measures what it says, with a family that trains at once."""

from tests.cli.bench.small import labelled, write_set

from stepdown.cli.bench import tuned as bench
from stepdown.core.ports import silent


def test_accuracy_and_latency_are_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "FAMILY", "linear")
    write_set(tmp_path, "banking77", labelled(400))
    (figure,) = bench.tuned(tmp_path, silent)
    assert figure.number > 90
    assert figure.target is None
    assert "p50" in figure.note
