"""What can't be loaded is said in one sentence; memory that runs out is Unavailable."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from stepdown.errors import Unavailable
from stepdown.students.tuned.base import device_of, load_base, memory_checked
from stepdown.students.weights import find_weights

from .conftest import ARCHITECTURES


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_architecture_loads_whole(folders, kind):
    base = load_base(find_weights(str(folders[kind])))
    saved = load_file(folders[kind] / "model.safetensors")
    own = base.encoder.state_dict()
    assert any(torch.equal(own[name], saved[name]) for name in own if name in saved)
    assert base.tokenizer == (folders[kind] / "tokenizer.json").read_bytes()
    assert base.filler == 0


def copied(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")
    return tmp_path / "m"


def test_weights_that_lack_an_array_are_refused(folder, tmp_path):
    made = copied(folder, tmp_path)
    tensors = load_file(made / "model.safetensors")
    tensors.pop(next(name for name in tensors if "query" in name))
    save_file(tensors, made / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Unavailable, match="lack 1 arrays"):
        load_base(find_weights(str(made)))


def test_a_model_that_reads_too_little_is_refused(folder, tmp_path):
    made = copied(folder, tmp_path)
    config = json.loads((made / "config.json").read_text()) | {"max_position_embeddings": 64}
    (made / "config.json").write_text(json.dumps(config))
    tensors = load_file(made / "model.safetensors")
    name = next(name for name in tensors if "position_embeddings" in name)
    tensors[name] = tensors[name][:64].contiguous()
    save_file(tensors, made / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Unavailable, match="reads 64 sub-words"):
        load_base(find_weights(str(made)))


def test_a_device_that_is_not_there_is_said(monkeypatch):
    assert device_of("cpu").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("").type == "cpu"
    with pytest.raises(Unavailable, match="not there"):
        device_of("cuda:3")
    with pytest.raises(Unavailable, match="names no device"):
        device_of("toaster")


def test_memory_that_runs_out_is_unavailable():
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")):
        with pytest.raises(Unavailable, match="not enough memory"), memory_checked("training"):
            raise error
    with pytest.raises(RuntimeError, match="another"), memory_checked("training"):
        raise RuntimeError("another")
