"""The two-model benchmark on made-up rows: what it reads, leaves out and prints."""

import json

import numpy as np
import pytest
import zstandard

from stepdown.cli.bench import routing
from stepdown.core.ports import silent
from stepdown.errors import InputError


def write(folder, name, rows):
    path = folder / name / f"{name}.jsonl.zst"
    path.parent.mkdir()
    text = "\n".join(json.dumps(row) for row in rows) + "\n"
    path.write_bytes(zstandard.compress(text.encode()))


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)
    rows = []
    for at in range(900):
        sums = random.random() < 0.5
        weak = random.random() < (0.2 if sums else 0.8)
        models = {
            routing.WEAK: {"correct": int(weak)},
            routing.STRONG: {"correct": int(random.random() < 0.8)},
        }
        prompt = f"{'prove that the sum' if sums else 'name the colour of'} {at}"
        row = {"prompt": prompt, "models": models, "split": "train" if at < 600 else "test"}
        rows.append({**row, "contaminated": True} if at % 100 == 0 else row)
    write(tmp_path, "routellm_mmlu", rows)
    return tmp_path


def test_contaminated_rows_are_left_out(data):
    train = routing.pair_of(data, "routellm_mmlu", "train", routing.WEAK, routing.STRONG)
    assert len(train.rows) == 594
    assert (train.hard == [row.hard for row in train.rows]).all()
    assert set(train.gain) <= {-1.0, 0.0, 1.0}
    with pytest.raises(InputError, match="no rows of split"):
        routing.pair_of(data, "routellm_mmlu", "nowhere", routing.WEAK, routing.STRONG)


def test_every_router_is_measured_in_its_place(data, monkeypatch):
    monkeypatch.setattr("stepdown.cli.bench.routers.DRAWS", 20)
    monkeypatch.setattr(routing, "NEIGHBOURS", (5, 20))
    found = {figure.name: figure for figure in routing.routing_mmlu(data, silent)}
    areas = {name.removeprefix("APGR, "): f.number for name, f in found.items() if "APGR, " in name}
    assert areas["oracle"] > areas["ours, the complexity score"] > 0.6 > areas["zero router"]
    assert areas["random"] == pytest.approx(0.5, abs=0.15)
    assert found["AIQ, oracle"].number > found["AIQ, zero router"].number
    assert found["AUROC of the score, hard against easy"].number > 0.65
    assert "kNN" in found["APGR, ours above kNN"].note
