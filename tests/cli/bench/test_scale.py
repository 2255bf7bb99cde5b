"""The scale benchmark's log is what it says: 2 KB native lines of five prompts."""

from tests.cli.bench.small import labelled, write_set

from stepdown import plugins
from stepdown.cli.bench import scale
from stepdown.core.ports import silent
from stepdown.logs import read_calls


def test_lines_are_about_2_kb_and_all_readable(tmp_path):
    write_set(tmp_path, "banking77", labelled(40))
    log = tmp_path / "log.jsonl"
    scale.write_log(tmp_path, log, 200)
    sizes = [len(line) for line in log.read_bytes().splitlines()]
    assert 1900 < min(sizes) <= max(sizes) < 2200
    calls = list(read_calls([str(log)], plugins.log_formats(), []))
    assert len(calls) == 200
    assert all(call.usage for call in calls)


def test_cpu_memory_and_slope_are_measured(tmp_path, monkeypatch):
    write_set(tmp_path, "banking77", labelled(40))
    monkeypatch.setattr(scale, "SIZES", (300, 600))
    figures = scale.audit_rate(tmp_path, silent)
    assert len(figures) == 5
    assert all(figure.number > 0 for figure in figures)
