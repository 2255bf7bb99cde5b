"""The package's own commands are run once, in order, and their failures are one sentence."""

import sys

import pytest

from stepdown.core.ports import silent
from stepdown.errors import Unavailable
from stepdown.students.needle import tuning
from stepdown.students.needle.tuning import NeedleSettings, build

ROW = b'{"query":"a","tools":[],"answers":[]}\n'


def test_it_tunes_and_builds(package, tmp_path):
    made = build(ROW, NeedleSettings(epochs=2, layers=8, checkpoint="c"), tmp_path, silent)
    assert made.read_bytes() == b"CACT tuned"
    first, second = (tmp_path / "commands.txt").read_text().splitlines()
    assert first.startswith("finetune") and "--checkpoint c --epochs 2 --seed 0" in first
    assert second.startswith("build c") and "--layers 8" in second


def test_an_adapter_is_not_made_twice(package, tmp_path):
    build(ROW, NeedleSettings(), tmp_path, silent)
    build(ROW, NeedleSettings(), tmp_path, silent)
    build(ROW * 2, NeedleSettings(), tmp_path, silent)
    verbs = [line.split()[0] for line in (tmp_path / "commands.txt").read_text().splitlines()]
    assert verbs == ["finetune", "build", "build", "finetune", "build"]


def test_a_failure_says_what_to_fetch(package, tmp_path):
    with pytest.raises(Unavailable, match=r"not of the form\); fetch its weights with `needle"):
        build(b"", NeedleSettings(), tmp_path, silent)


def test_a_build_that_leaves_nothing_is_said(monkeypatch, tmp_path):
    code = "import sys; open(sys.argv[-1], 'w').close() if 'finetune' in sys.argv else None"
    monkeypatch.setattr(tuning, "command", lambda *args: [sys.executable, "-c", code, *args])
    with pytest.raises(Unavailable, match="wrote no archive"):
        build(ROW, NeedleSettings(), tmp_path, silent)


def test_without_weights_or_network_the_real_command_is_refused_in_one_sentence(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Unavailable, match="needle download"):
        build(ROW, NeedleSettings(), tmp_path, silent)
