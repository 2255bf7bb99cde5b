"""`stepdown bench` as a command: a table, a page, JSON, and data that is not there."""

import json

import pytest
from tests.cli.bench.small import booked, write_set
from tests.cli.story import call

from stepdown.cli.bench import _DATA_SETS, BENCHMARKS, _load, _refuse_broken
from stepdown.cli.bench.figures import Figure
from stepdown.errors import Refusal


def test_every_benchmark_can_be_loaded():
    assert all(callable(_load(name)) for name in BENCHMARKS)


def test_figures_are_printed_and_written(tmp_path, capsys):
    write_set(tmp_path / "data", "dstc8_spans", booked(200))
    page = tmp_path / "page.md"
    arguments = ("bench", "--data", tmp_path / "data", "--only", "spans")
    assert call(*arguments, "--markdown", page, "--json", "--workspace", tmp_path) == 0
    (figure,) = json.loads(capsys.readouterr().out)["figures"]["spans"]
    assert figure["number"] > 0.9
    assert f"| {figure['value']} |" in page.read_text("utf-8")
    assert call(*arguments, "--workspace", tmp_path) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_missing_data_is_exit_2(tmp_path, capsys):
    assert call("bench", "--data", tmp_path / "gone", "--workspace", tmp_path) == 2
    assert call("bench", "--data", tmp_path, "--only", "spans", "--workspace", tmp_path) == 2
    assert "dstc8_spans.jsonl.zst" in capsys.readouterr().err


def test_only_counts_that_must_be_right_fail_the_command():
    _refuse_broken([Figure("slow", "9 s", 9, 1, at_most=True)])
    with pytest.raises(Refusal, match="calls lost: 2"):
        _refuse_broken([Figure("calls lost", "2", 2, 0, at_most=True, must=True)])


def test_the_gateways_benchmarks_are_run_by_name_alone():
    assert "gateway" in BENCHMARKS
    assert not any(name.startswith("gateway") for name in _DATA_SETS)
