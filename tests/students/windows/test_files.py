"""A window model comes back as it was, or not at all."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tests.students.windows.contracts import write_contract

from stepdown.core.tasks import Segment
from stepdown.errors import ArtefactError
from stepdown.students.windows.files import load_windows, save_windows


@pytest.fixture
def folder(condensed, tmp_path):
    save_windows(condensed.model, tmp_path)
    return tmp_path


def test_what_was_saved_condenses_alike(condensed, folder):
    given = (Segment("user", write_contract(77)[0]),)
    assert load_windows(folder).condense(given) == condensed.model.condense(given)


@pytest.mark.parametrize("name", ["windows.json", "windows.safetensors"])
def test_a_missing_or_cut_file_is_refused(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-40])
    with pytest.raises(ArtefactError, match="train the student again"):
        load_windows(folder)
    (folder / name).unlink()
    with pytest.raises(ArtefactError, match="train the student again"):
        load_windows(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("bias"),
        lambda arrays: arrays.update(idf=arrays["idf"][:-1].copy()),
        lambda arrays: arrays.update(weights=arrays["weights"].astype(np.float64)),
        lambda arrays: arrays["bias"].fill(np.inf),
    ],
)
def test_arrays_that_do_not_fit_are_refused(folder, change):
    arrays = load_file(folder / "windows.safetensors")
    change(arrays)
    save_file(arrays, folder / "windows.safetensors")
    with pytest.raises(ArtefactError, match="windows of student"):
        load_windows(folder)
