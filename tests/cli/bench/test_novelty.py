"""The novelty benchmark counts what it says: strangers, the whole traffic, odd inputs."""

import pytest
from tests.cli.bench.small import labelled, write_set

from stepdown import plugins
from stepdown.cli.bench import novelty
from stepdown.core.ports import silent
from stepdown.errors import Unavailable

STRANGE = (
    "whose grandmother paints violins beneath glass mountains every winter",
    "seven quiet owls debated quantum chess while juggling purple lanterns",
    "kettles hum softly under marble clouds near forgotten Tuesday oceans",
)


@pytest.fixture
def data(tmp_path):
    rows = list(labelled(1600))
    for at, row in enumerate(rows):
        row["split"] = ("train", "train", "validation", "test")[at % 4]
    for at in range(60):
        split = ("train", "validation", "test", "test")[at % 4]
        text = f"{STRANGE[at % 3]} {at}"
        rows.append({"id": f"o-{at}", "text": text, "label": "oos", "split": split})
    write_set(tmp_path, "clinc150", rows)
    write_set(tmp_path, "banking77", labelled(1600, seed=3))
    contract = "This agreement is made between the parties hereto. " * 400
    write_set(
        tmp_path,
        "cuad/contracts",
        [{"id": str(at), "text": contract, "fields": {}, "split": "test"} for at in range(5)],
    )
    return tmp_path


def test_strangers_are_counted_apart_and_odd_inputs_are_caught(data, monkeypatch):
    monkeypatch.setattr(novelty, "FAMILIES", ("linear",))
    figures = {figure.name: figure for figure in novelty.novelty(data, silent)}
    of_strangers = next(f for name, f in figures.items() if "answered with a label" in name)
    assert of_strangers.target == 5
    assert "of 30 are answered at all" in of_strangers.note
    whole = figures["linear, novelty = 0.12, joint 2 %: whole test traffic answered differently, %"]
    without = figures["linear, no gate: whole test traffic answered differently, %"]
    assert whole.number <= without.number
    assert figures["linear: in-scope accuracy, %"].number > 90
    new = figures["linear, Banking77, requests of labels that came up after training, answered, %"]
    assert 0 <= new.number <= 100
    assert "without the gate" in new.note
    odd = ("in 8 other languages", "a pasted contract", "empty or blank", "100,000 characters")
    for kind in odd:
        assert figures[f"linear, refused as novel: {kind}, %"].number == 100


def test_the_rows_that_certify_hold_as_many_strangers_as_training(data):
    rows = novelty.on.labels(data, "clinc150")
    task = novelty.on.task_of("clinc150", rows)
    sets = novelty._sets(novelty.on.examples_of(task, rows), [row.split for row in rows])
    share = [sum(e.record[""] == "oos" for e in part) / len(part)
             for part in (sets.train, sets.calibration)]  # fmt: skip
    assert share[0] == pytest.approx(share[1], abs=0.002)
    assert len(sets.outside) == 30


def test_new_labels_are_in_no_row_that_trains_or_certifies(data):
    _, sets = novelty._later(data)
    new = {example.record[""] for example in sets.outside}
    old = {e.record[""] for part in (sets.train, sets.calibration, sets.inside) for e in part}
    assert new
    assert not new & old


def test_a_family_that_is_not_there_is_left_out(data, monkeypatch):
    class Missing:
        def train(self, task, examples, progress):
            raise Unavailable("Install stepdown[encoder].")

    monkeypatch.setattr(plugins, "family", lambda name: Missing())
    said = []
    assert list(novelty.novelty(data, lambda stage, done, total: said.append(stage))) == []
    assert all("Install stepdown[encoder]" in stage for stage in said)
