"""A published model loads from either format; what can't be loaded is said."""

import json
import shutil

import pytest
import torch

from stepdown.errors import Unavailable
from stepdown.students.generative.base import load_causal
from stepdown.students.weights import find_weights


def test_both_formats_hold_the_same_model(causal, gguf_folder):
    other = load_causal(find_weights(str(gguf_folder), "generative"))
    ids = torch.tensor([causal.tokenizer.encode("where is my card")])
    assert other.tokenizer.encode("where is my card") == ids[0].tolist()
    with torch.inference_mode():
        one, two = (c.model.eval()(ids).logits for c in (causal, other))
    assert torch.allclose(one, two, atol=1e-4)


def test_another_architecture_is_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    (tmp_path / "m" / "config.json").write_text(json.dumps(config | {"model_type": "nonsense"}))
    with pytest.raises(Unavailable):
        load_causal(find_weights(str(tmp_path / "m"), "generative"))
