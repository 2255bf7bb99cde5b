"""A damaged encoder student is refused, whatever is damaged."""

import numpy as np
import pytest
from safetensors.numpy import save
from tests.students.encoder.test_init import FAMILY, ROWS, TASK

from stepdown.errors import ArtefactError


@pytest.fixture(scope="module")
def saved(folder, tmp_path_factory):
    made = tmp_path_factory.mktemp("student")
    FAMILY.save(FAMILY.of(str(folder)).train(TASK, ROWS[:180]), made)
    return {path.name: path.read_bytes() for path in made.iterdir()}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("encoder.onnx", b"not a graph"),
        ("tokenizer.json", b"{}"),
        ("look.safetensors", b""),
        ("look.safetensors", save({"mean": np.zeros(3, np.float32)})),
        ("look.safetensors", save({"mean": np.full(16, np.nan, np.float32)})),
        ("weights.safetensors", b""),
        ("student.json", b"{}"),
    ],
)
def test_a_damaged_file_is_refused(saved, tmp_path, name, data):
    for file, content in saved.items():
        (tmp_path / file).write_bytes(data if file == name else content)
    with pytest.raises(ArtefactError):
        FAMILY.load(tmp_path, TASK)


def test_a_missing_file_is_refused(saved, tmp_path):
    for file, content in saved.items():
        if file != "encoder.onnx":
            (tmp_path / file).write_bytes(content)
    with pytest.raises(ArtefactError, match="encoder can't be read"):
        FAMILY.load(tmp_path, TASK)
