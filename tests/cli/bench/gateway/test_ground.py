"""What the parts stand on: a part of the bundled log, and a request of no task."""

import json
from collections import Counter

import pytest

from stepdown.cli.bench.gateway import ground
from stepdown.core.ports import silent
from stepdown.errors import Refusal


def test_the_part_of_the_log_has_three_tasks():
    tasks = Counter(map(ground._task_of, ground._part()))
    assert tasks == {"ticket-routing": 4000, "home-assistant": 2000, "booking-details": 2000}


def test_what_is_relayed_has_a_usual_size():
    assert 400 < len(ground.relayed_body()) < 800
    assert json.loads(ground.relayed_body(stream=True))["stream"] is True


def test_a_part_begins_with_an_empty_store(tmp_path):
    for name in ("calls.db", "calls.db-wal", "policy.json"):
        (tmp_path / name).touch()
    ground.forget_calls(ground.Ground(tmp_path, [], ground.cores()))
    assert [path.name for path in tmp_path.iterdir()] == ["policy.json"]


def test_an_empty_folder_is_not_learnt(tmp_path, monkeypatch):
    assert not ground._learnt(tmp_path)
    monkeypatch.setattr(ground, "audit_log", lambda *_: None)
    monkeypatch.setattr(ground, "run_tasks", lambda *_: None)
    with pytest.raises(Refusal, match="Not all three tasks"):
        ground._learn(tmp_path / "space", silent)
