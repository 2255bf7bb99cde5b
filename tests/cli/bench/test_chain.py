"""The chain's benchmark weighs every rung and the chain, and certifies the best."""

from tests.cli.bench.small import labelled, write_set

from stepdown import plugins
from stepdown.cli.bench import chain as bench
from stepdown.core.ports import silent
from stepdown.errors import Unavailable
from stepdown.students.linear import LinearFamily


def family(name):
    if name == "encoder-tuned":
        raise Unavailable("There is no torch.")
    return LinearFamily(static=False)


def test_rungs_and_chain_are_weighed_and_the_best_is_opened_on_test(tmp_path, monkeypatch):
    write_set(tmp_path, "banking77", labelled(1200))
    monkeypatch.setattr(bench, "CALIBRATION_ROWS", 400)
    monkeypatch.setattr(bench, "DRAWS", 40)
    monkeypatch.setattr(plugins, "family", family)
    answered, risk, agreement, broken = bench.chain(tmp_path, silent)
    assert answered.number > 80
    assert "linear → encoder" in answered.note
    assert risk.number < 2
    assert agreement.number > 95
    assert 0 <= broken.number <= 100
