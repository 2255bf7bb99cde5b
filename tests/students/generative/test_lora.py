"""Adapters are trained and merged; a run that was cut off goes on; few rows are read more often."""

import pytest
import torch

from stepdown.core.ports import silent
from stepdown.students.generative.base import load_causal
from stepdown.students.generative.lora import lora_settings, tune
from stepdown.students.weights import find_weights

from .conftest import FAST

ROWS = [("say:", " yes"), ("tell:", " no")] * 16


@pytest.fixture
def fresh(folder):
    return load_causal(find_weights(str(folder), "generative"))


def loss(model, tokenizer):
    total = 0.0
    for prompt, completion in ROWS[:2]:
        before = tokenizer.encode(prompt)
        ids = torch.tensor([before + tokenizer.encode(completion)])
        labels = ids.clone()
        labels[:, : len(before)] = -100
        with torch.inference_mode():
            total += float(model(ids, labels=labels).loss)
    return total


def test_it_learns_what_should_follow(fresh):
    before = loss(fresh.model.eval(), fresh.tokenizer)
    steps = []
    merged = tune(fresh, ROWS, FAST, None, lambda *step: steps.append(step))
    assert loss(merged, fresh.tokenizer) < before / 2
    assert not any("lora" in name for name in merged.state_dict())
    assert steps[-1][1] == steps[-1][2] == 32


def test_a_run_that_was_cut_off_goes_on(fresh, folder, tmp_path):
    import msgspec

    class Cut(Exception):
        pass

    def cut(stage, done, total):
        if done == 8:
            raise Cut

    settings = msgspec.structs.replace(FAST, keep_steps=5)
    with pytest.raises(Cut):
        tune(fresh, ROWS, settings, tmp_path, cut)
    again = load_causal(find_weights(str(folder), "generative"))
    steps = []
    tune(again, ROWS, settings, tmp_path, lambda *step: steps.append(step[1]))
    assert steps[0] == 6
    assert steps[-1] == 32


def test_few_rows_are_read_more_often():
    assert lora_settings(100).epochs > lora_settings(3_000).epochs > lora_settings(10**6).epochs
    assert lora_settings(10**6).epochs == 1
    assert silent("", 0, 0) is None
