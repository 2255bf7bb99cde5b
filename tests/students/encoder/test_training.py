"""Weights are found, quantised and kept; what is missing says what to fetch."""

import json
import shutil

import pytest

from stepdown.errors import Unavailable
from stepdown.students.encoder.training import session_of


def test_the_same_model_is_one_session(folder):
    assert session_of(str(folder)) is session_of(str(folder))


def test_a_model_without_a_tokenizer_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").unlink()
    with pytest.raises(Unavailable, match=r"no tokenizer\.json"):
        session_of(str(tmp_path / "m"))


def test_another_architecture_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text()) | {"model_type": "llama"}
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    with pytest.raises(Unavailable):
        session_of(str(tmp_path / "m"))


def test_a_model_that_is_nowhere_says_what_to_fetch(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(Unavailable, match="fetch"):
        session_of("nobody/nothing")
