"""The engine in this process: options weighed as they are, grammars kept, the cache no matter."""

import json

import pytest
import torch

from stepdown.errors import ArtefactError, Unavailable
from stepdown.students.generative.local import load_local
from stepdown.students.generative.port import EngineError
from stepdown.students.generative.schemas import grammar_of

OPTIONS = ["cards", "loans", "travel", "cards and loans"]


def log_p(engine, prompt, text):
    """Weigh one text in a single pass, without any cache."""
    ids = engine.tokenizer.encode(prompt, add_special_tokens=False)
    more = engine.tokenizer.encode(text, add_special_tokens=False)
    more = [*more, engine.tokenizer.eos_token_id]
    with torch.inference_mode():
        logits = engine.model(torch.tensor([ids + more])).logits[0].log_softmax(-1)
    return sum(float(logits[len(ids) - 1 + at, token]) for at, token in enumerate(more))


def test_the_likeliest_option_is_found(local):
    for prompt in ("where is my card", "the loan rate", "a trip"):
        weighed = [log_p(local, prompt, option) for option in OPTIONS]
        ranked = local.choose(prompt, OPTIONS, line=False)
        assert ranked.index == weighed.index(max(weighed))
        assert ranked.log_p == pytest.approx(max(weighed), abs=1e-3)


def test_what_was_asked_before_changes_nothing(local):
    first = local.choose("where is my card", OPTIONS, line=False)
    local.choose("something else, and longer than that", OPTIONS, line=False)
    local.write("where is", None, 5)
    again = local.choose("where is my card", OPTIONS, line=False)
    assert again.index == first.index
    assert again.log_p == pytest.approx(first.log_p, abs=1e-4)


@pytest.mark.parametrize(
    "schema", [{"type": "boolean"}, {"enum": ["x", "y"]}, {"type": "array", "maxItems": 2,
               "items": {"type": "object", "properties": {"a": {"type": "boolean"}},
                         "required": ["a"], "additionalProperties": False}}]
)  # fmt: skip
def test_what_is_written_keeps_to_the_grammar(local, schema):
    import jsonschema_rs

    said = local.write("an answer:", grammar_of(schema), 100)
    assert said.ended
    assert said.text.startswith(" ")
    assert said.text.endswith("\n")
    assert jsonschema_rs.is_valid(schema, json.loads(said.text))
    assert all(log <= 0 for log in said.logprobs)


def test_writing_stops_at_its_limit(local):
    said = local.write("a", None, 3)
    assert len(said.logprobs) <= 3


def test_a_damaged_model_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ArtefactError, match="train the student again"):
        load_local(tmp_path)


def test_a_schema_that_no_grammar_can_express_is_said(local):
    grammar = grammar_of({"type": "object", "patternProperties": {"(?<=a)b": {}}, "not": {}})
    with pytest.raises(EngineError, match="grammar can't be used"):
        local.write("an answer:", grammar, 10)
    assert local.write("an answer:", grammar_of({"type": "boolean"}), 20).ended


def test_weights_that_give_no_number_are_said_and_nothing_is_kept_of_it(folder, monkeypatch):
    engine = load_local(folder)
    before = engine.choose("where is my card", OPTIONS, line=False)
    weight = engine.model.lm_head.weight
    kept = weight.detach().clone()
    with torch.no_grad():
        weight.fill_(float("nan"))
    with pytest.raises(EngineError, match="not a number"):
        engine.choose("where is my card", OPTIONS, line=False)
    with pytest.raises(EngineError, match="not a number"):
        engine.write("where", None, 3)
    with torch.no_grad():
        weight.copy_(kept)
    assert engine.choose("where is my card", OPTIONS, line=False).index == before.index


def test_a_gpu_that_is_asked_for_and_not_there_is_said(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("STEPDOWN_DEVICE", "cuda")
    with pytest.raises(Unavailable, match="not there"):
        load_local(folder)
