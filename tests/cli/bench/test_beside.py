"""The figures of several workers: each run's report has to be that of one process."""

from tests.cli.bench.small import labelled, write_set
from tests.cli.test_sharding import Beside as Workers

from stepdown.cli.bench import beside
from stepdown.cli.bench.figures import breaks
from stepdown.core.ports import silent
from stepdown.logs import shards


def test_each_cluster_is_measured_and_held_to_one_process(tmp_path, monkeypatch):
    write_set(tmp_path, "banking77", labelled(400))
    monkeypatch.setattr(beside, "CALLS", 6_000)
    monkeypatch.setattr(beside, "_NAP_S", 0.0)
    monkeypatch.setattr(beside, "Ray", Workers)
    monkeypatch.setattr(shards, "_LINES", 500)
    figures = beside.ray_scale(tmp_path, silent)
    assert len(figures) == 11
    same = [figure for figure in figures if figure.must]
    assert [figure.value for figure in same] == ["yes", "yes"]
    assert all("0 shards" not in figure.note for figure in same)
    assert not any(map(breaks, figures))


def test_what_is_kept_takes_its_lines_and_little_more(tmp_path, monkeypatch):
    write_set(tmp_path, "banking77", labelled(40))
    monkeypatch.setattr(beside, "KEPT", 300)
    size, spent = beside.storage(tmp_path, silent)
    assert 2_000 < size.number < 6_000
    assert spent.number > 0
