"""A tuned model written over its own GGUF file comes back the same, to within 8 bits."""

import numpy as np
import pytest
import torch

from stepdown.errors import Unavailable
from stepdown.students.generative.base import load_causal
from stepdown.students.generative.gguf_file import can_write, permuted, write_gguf
from stepdown.students.weights import find_weights


def test_the_new_numbers_are_in_the_file(causal, gguf_folder, tmp_path):
    state = {name: tensor * 1.25 for name, tensor in causal.model.state_dict().items()}
    write_gguf(gguf_folder / "tiny.gguf", state, causal.model.config, tmp_path / "new.gguf")
    again = load_causal(find_weights(str(tmp_path), "generative"))
    found = again.model.state_dict()
    for name, tensor in state.items():
        assert torch.allclose(found[name], tensor, atol=0.02 * float(tensor.abs().max())), name
    assert again.tokenizer.encode("my card") == causal.tokenizer.encode("my card")
    assert again.tokenizer.chat_template == causal.tokenizer.chat_template
    assert can_write(causal.model.config)


def test_a_tensor_that_is_not_there_is_said(causal, gguf_folder, tmp_path):
    with pytest.raises(Unavailable, match="has no tensor"):
        write_gguf(gguf_folder / "tiny.gguf", {}, causal.model.config, tmp_path / "new.gguf")


def test_permuting_moves_rows_and_nothing_else():
    weights = np.arange(16 * 3, dtype=np.float32).reshape(16, 3)
    made = permuted(weights, 2)
    assert sorted(made.tolist()) == sorted(weights.tolist())
    assert made[1].tolist() == weights[4].tolist()
