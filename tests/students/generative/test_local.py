"""The engine in this process: options weighed as they are, grammars kept, the cache no matter."""

import json

import pytest
import torch

from stepdown.errors import ArtefactError
from stepdown.students.generative.local import load_local
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
