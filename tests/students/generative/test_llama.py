"""llama.cpp gives the same model the same answers as transformers does."""

import json

import pytest
import torch

from stepdown.errors import ArtefactError
from stepdown.students.generative.llama import LlamaEngine
from stepdown.students.generative.port import EngineError
from stepdown.students.generative.schemas import grammar_of

OPTIONS = ["cards", "loans", "travel", "cards and loans"]


def test_it_computes_what_transformers_does(local, llama):
    for prompt in ("where is my card", "the loan rate", "a trip"):
        choice = llama._asked({"prompt": prompt, "n_predict": 1, "n_probs": 5})
        with torch.inference_mode():
            logs = local._after(local._ids(prompt))
        for token in choice["logprobs"]["content"][0]["top_logprobs"]:
            assert token["logprob"] == pytest.approx(float(logs[token["id"]]), abs=0.1)


def test_it_chooses_the_option_that_was_likeliest(llama):
    for prompt in ("where is my card", "the loan rate", "a trip"):
        ranked = llama.choose(prompt, OPTIONS, line=False)
        alone = [llama.choose(prompt, [option], line=False).log_p for option in OPTIONS]
        assert alone[ranked.index] == max(alone)


def test_options_that_end_their_line(llama):
    ranked = llama.choose("kind:", [' "a"\n', ' "ab"\n', " null\n"], line=True)
    assert 0 <= ranked.index < 3
    assert 0 < ranked.share <= 1


def test_what_is_written_keeps_to_the_grammar(llama):
    said = llama.write("an answer:", grammar_of({"type": "boolean"}), 30)
    assert json.loads(said.text) in (True, False)
    assert said.ended
    assert len(said.logprobs) >= 1


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "model.gguf").write_bytes(b"GGUF nonsense")
    with pytest.raises(ArtefactError, match="can't be loaded"):
        LlamaEngine(tmp_path / "model.gguf")


def test_a_closed_engine_gives_no_answer(gguf_folder):
    engine = LlamaEngine(gguf_folder / "tiny.gguf")
    engine.close()
    with pytest.raises(EngineError):
        engine.write("a", None, 3)
