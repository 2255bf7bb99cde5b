"""Files: whatever is missing, changed or made up is refused with one sentence."""

import json

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load, save

from stepdown.errors import ArtefactError


@pytest.fixture
def folder(family, students, tmp_path):
    family.save(students["tool"], tmp_path)
    return tmp_path


def change(path, edit):
    value = json.loads(path.read_bytes())
    edit(value)
    path.write_text(json.dumps(value), encoding="utf-8")


def refused(family, folder, task, match):
    with pytest.raises(ArtefactError, match=match) as error:
        family.load(folder, task)
    assert "train it again" in str(error.value)


def test_every_missing_file_is_refused(family, folder, tasks):
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        path.unlink()
        with pytest.raises(ArtefactError):
            family.load(folder, tasks["tool"])
        path.write_bytes(data)
    family.load(folder, tasks["tool"])


def test_every_damaged_file_is_refused(family, folder, tasks):
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        for damage in (b"", b"{}", b"\xff\xfe", data[: len(data) // 2], b"[" * 100_000):
            path.write_bytes(damage)
            with pytest.raises(ArtefactError):
                family.load(folder, tasks["tool"])
        path.write_bytes(data)
    family.load(folder, tasks["tool"])


@pytest.mark.parametrize(
    ("edit", "match"),
    [
        (lambda v: v.update(format=2), "format 2"),
        (lambda v: v.update(extra=1), "not a student's description"),
        (lambda v: v.update(shape="text"), "shape text"),
        (lambda v: v["heads"][0].update(labels=[]), "not classes"),
        (lambda v: v["heads"][0]["labels"].append({"mark": "odd"}), "not classes"),
        (lambda v: v["heads"].pop(), "no model|no head"),
        (lambda v: v["spans"].pop(), "no model"),
        (lambda v: v["scopes"]["book"]["spans"].update({"/book/other": "never"}), "no model"),
        (lambda v: v["scopes"]["book"]["spans"].update({"/book/city": "odd"}), "description"),
        (lambda v: v["vocabularies"][0]["words"].append("more"), "'idf.0'"),
        (lambda v: v["vocabularies"].clear(), "vocabular"),
        (lambda v: v["confidence"].update(weights=[1.0]), "confidence"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(family, folder, tasks, edit, match):
    change(folder / "student.json", edit)
    refused(family, folder, tasks["tool"], match)


@pytest.mark.parametrize(
    "damage",
    [
        lambda array: array.astype(np.float64),
        lambda array: array[:-1],
        lambda array: np.full_like(array, np.nan),
        lambda array: np.full_like(array, np.inf),
    ],
    ids=["type", "shape", "nan", "infinite"],
)
def test_an_array_that_does_not_fit_is_refused(family, folder, tasks, damage):
    path = folder / "weights.safetensors"
    tensors = load(path.read_bytes())
    for name in ("idf.0", "head.0.bias"):
        path.write_bytes(save({**tensors, name: damage(tensors[name])}))
        refused(family, folder, tasks["tool"], name)


def test_a_student_of_missing_vectors_says_how_to_get_them(family, folder, tasks):
    change(folder / "student.json", lambda v: v.update(static="0" * 64))
    with pytest.raises(ArtefactError, match="static word vectors"):
        family.load(folder, tasks["tool"])


def test_a_task_whose_schema_is_broken_is_refused(family, folder, tasks):
    task = msgspec.structs.replace(tasks["tool"], tools_json="[{}]")
    with pytest.raises(ArtefactError, match="audit the log again"):
        family.load(folder, task)


def test_no_file_runs_code(folder):
    for path in folder.iterdir():
        assert path.suffix in {".json", ".safetensors", ".crf"}
