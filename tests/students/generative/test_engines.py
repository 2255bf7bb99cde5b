"""The engine follows from what a student's folder holds, or from the server that is named."""

import shutil

import pytest

from stepdown.errors import ArtefactError
from stepdown.students.generative.engines import GGUF, open_engine


def test_each_kind_of_file_has_its_engine(folder, gguf_folder, tmp_path):
    (tmp_path / "a").mkdir()
    shutil.copyfile(gguf_folder / "tiny.gguf", tmp_path / "a" / GGUF)
    assert type(open_engine(tmp_path / "a")).__name__ == "LlamaEngine"
    shutil.copytree(folder, tmp_path / "b")
    assert type(open_engine(tmp_path / "b")).__name__ == "LocalEngine"
    assert type(open_engine(tmp_path / "b", "http://x/v1", "m")).__name__ == "RemoteEngine"


def test_a_folder_without_a_model_is_damaged(tmp_path):
    with pytest.raises(ArtefactError, match="has no model"):
        open_engine(tmp_path)
