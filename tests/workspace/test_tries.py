"""Looks at held-out rows are counted, and stay counted (C-2)."""

import json
import shutil

import numpy as np
import pytest

from stepdown.core.stats import cp_upper
from stepdown.errors import ArtefactError
from stepdown.prove import ProofTerms
from stepdown.workspace.artefacts import publish_student
from stepdown.workspace.tries import REMOVED, next_try, note_opening, try_of


def test_every_training_is_a_try_and_the_same_one_is_no_new_try(tmp_path):
    assert [next_try(tmp_path), try_of(tmp_path, ["a"]), next_try(tmp_path)] == [1, 1, 2]
    assert try_of(tmp_path, ["a"]) == 1
    assert try_of(tmp_path, ["b", "c"]) == 2
    # One of them is new, so what was weighed is.
    assert try_of(tmp_path, ["c", "d"]) == 3
    # A student keeps the number that it was weighed with first.
    assert [try_of(tmp_path, [one]) for one in ("a", "c", "b", "d")] == [1, 2, 2, 3]
    assert try_of(tmp_path, ["a", "d"]) == 3


class Bytes:
    """What saves a student that is its bytes."""

    name = "bytes"

    def save(self, student, folder):
        (folder / "data.bin").write_bytes(student)


def trained(folder, data):
    """Train as the ladder does: the students are there before it is said that they are a try."""
    number = next_try(folder)
    draft = {"task": "t", "dataset": "d", "contract": {}, "made_at": "2026-01-01T00:00:00Z"}
    draft["training"] = {"try": number}
    _, manifest = publish_student(folder / "students", Bytes(), data, draft)
    return number, try_of(folder, [manifest.id]), manifest.id


def test_c2_trainings_of_one_second_are_as_many_tries_and_stay_so(tmp_path):
    found = [trained(tmp_path, b"student %d" % at) for at in range(5)]
    assert [one[:2] for one in found] == [(at, at) for at in range(1, 6)]
    noted = (tmp_path / "tries.json").read_bytes()
    # The same is made of the students alone.
    (tmp_path / "tries.json").unlink()
    assert next_try(tmp_path) == 6
    assert (tmp_path / "tries.json").read_bytes() == noted
    for *_, loser in found[:4]:
        shutil.rmtree(tmp_path / "students" / loser)
    assert try_of(tmp_path, [found[4][2]]) == 5
    assert next_try(tmp_path) == 6


def test_what_an_older_version_proved_is_counted_removed_or_not(tmp_path):
    folder = tmp_path / "proofs"
    folder.mkdir()
    for at, (name, ending) in enumerate([("z", ".json"), ("a", REMOVED), ("m", ".json")]):
        proof = {"student": name, "made_at": f"2026-01-0{at + 1}T00:00:00Z", "dataset": "d"}
        (folder / f"{name}{ending}").write_text(json.dumps(proof))
    (folder / "again.json").write_bytes((folder / "m.json").read_bytes())
    assert [try_of(tmp_path, [name]) for name in ("z", "a", "m", "new")] == [1, 2, 3, 4]
    assert note_opening(tmp_path, "d") == 5
    # What is written down no longer depends on them.
    for path in folder.iterdir():
        path.unlink()
    assert next_try(tmp_path) == 5


def test_a_student_that_nobody_can_read_was_tried(tmp_path):
    (tmp_path / "students" / "broken").mkdir(parents=True)
    assert try_of(tmp_path, ["new"]) == 2


def test_c2_openings_of_the_test_part_are_counted_by_dataset(tmp_path):
    assert [note_opening(tmp_path, "d"), note_opening(tmp_path, "d")] == [1, 2]
    assert note_opening(tmp_path, "e") == 1
    # What is left of a dataset has been looked at as often.
    assert note_opening(tmp_path, "f", was="d") == 2
    assert note_opening(tmp_path, "f") == 3
    assert note_opening(tmp_path, "d") == 3


def test_damaged_files_are_refused_and_the_remedy_is_said(tmp_path):
    (tmp_path / "tries.json").write_text("[]")
    with pytest.raises(ArtefactError, match="made anew"):
        next_try(tmp_path)
    (tmp_path / "tries.json").unlink()
    (tmp_path / "proofs").mkdir()
    (tmp_path / "proofs" / "p.json").write_text("{")
    with pytest.raises(ArtefactError, match=r"p\.json"):
        next_try(tmp_path)


def test_c2_the_best_of_ten_trainings_is_over_the_budget_as_seldom_as_promised(tmp_path):
    """Ten students of a true risk of 2.01 %, certified at 2 % on one set of calibration rows."""
    levels = [ProofTerms(attempt=try_of(tmp_path, [f"s{at}"])).delta for at in range(10)]
    rows, draws = 3000, 4000
    errors = np.random.default_rng(0).binomial(rows, 0.0201, (draws, 10))
    most = [
        max((k for k in range(200) if cp_upper(k, rows, level) <= 0.02), default=-1)
        for level in levels
    ]
    broken = float((errors <= most).any(axis=1).mean())
    assert 0.0 < broken <= 0.05
    # Each at the level of a first student, as where only proofs were counted.
    assert float((errors <= most[0]).any(axis=1).mean()) > 0.15
