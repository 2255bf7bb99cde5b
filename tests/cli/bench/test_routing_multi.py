"""The nine-model benchmark on made-up rows: decontaminated, ordered by cost, all routers placed."""

import numpy as np
import pytest
from tests.cli.bench.test_routing import write

from stepdown.cli.bench import routing_multi
from stepdown.core.ports import silent


@pytest.fixture
def data(tmp_path):
    random = np.random.default_rng(0)
    rows = []
    for at in range(700):
        sums = random.random() < 0.5
        models = {
            name: {"score": float(random.random() < ((size / 80) if sums else 0.8))}
            for name, size in routing_multi.BILLIONS.items()
        }
        prompt = f"{'prove that the sum' if sums else 'name the colour of'} {at}"
        rows.append({"prompt": prompt, "models": models, "split": "train" if at < 500 else "test"})
    rows.append({**rows[0], "prompt": rows[0]["prompt"].upper(), "split": "test"})
    write(tmp_path, "llmrouter_multi", rows)
    return tmp_path


def test_prompts_of_the_training_split_are_left_out(data):
    train = routing_multi.graded(data, "train")
    assert train.scores.shape == (500, 9)
    known = frozenset(" ".join(row.request.messages[0].text.split()) for row in train.rows)
    assert len(routing_multi.graded(data, "test").rows) == 201
    assert len(routing_multi.graded(data, "test", known).rows) == 200


def test_every_router_is_measured_in_its_place(data, monkeypatch):
    monkeypatch.setattr("stepdown.cli.bench.routers.DRAWS", 10)
    found = {figure.name: figure for figure in routing_multi.routing_multi(data, silent)}
    areas = {name.removeprefix("AIQ, "): f.number for name, f in found.items()}
    assert areas["oracle"] > areas["ours"] > areas["random"]
    assert areas["ours"] > areas["zero router"]
    assert "assumed" in next(iter(found.values())).note
    assert found["AIQ, ours above zero"].number == pytest.approx(
        areas["ours"] - areas["zero router"]
    )
