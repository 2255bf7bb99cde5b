"""Decisions, to the official client's own types."""

import json

import pytest
from openai.types.decision import Decision

from stepdown.core.calls import Message, Request, Usage
from stepdown.errors import InputError
from stepdown.wire.openai_decisions import Decided, decision_body, parse_decision

REQUEST = Request(
    "dear", (Message("system", "Sort the ticket."), Message("user", "My card is gone."))
)
RESPONSE = {
    "model": "gpt-6-luna",
    "answers": [
        {
            "type": "choice",
            "name": "answer",
            "choice": "cards",
            "confidence": 0.8,
            "probabilities": [
                {"value": "cards", "probability": 0.9},
                {"value": "loans", "probability": 0.1},
            ],
        },
        {
            "type": "choice",
            "name": "/urgent",
            "choice": True,
            "confidence": 0.5,
            "probabilities": [
                {"value": "true", "probability": 0.3},
                {"value": True, "probability": 0.7},
            ],
        },
        {"type": "refusal", "name": "/tone"},
    ],
    "usage": {
        "input_tokens": 40,
        "input_tokens_details": {"cache_write_tokens": 4, "cached_tokens": 3},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 40,
    },
}


def test_the_body_asks_one_choice_a_field():
    body = json.loads(decision_body(REQUEST, "gpt-6-luna", {"answer": ["cards", "loans"]}))
    assert body["model"] == "gpt-6-luna"
    assert body["input"] == [{"type": "message", "role": "user", "content": "My card is gone."}]
    (question,) = body["questions"]
    assert question["type"] == "choice"
    assert question["name"] == "answer"
    assert question["choices"] == [{"value": "cards"}, {"value": "loans"}]
    assert question["instructions"].startswith("Sort the ticket.")


def test_answers_are_read_by_name_and_a_true_is_no_text():
    Decision.model_validate(RESPONSE)  # the sample is what the official client reads
    answers, usage = parse_decision(json.dumps(RESPONSE).encode())
    assert answers == {
        "answer": Decided("cards", 0.9),
        "/urgent": Decided(True, 0.7),
        "/tone": Decided(),
    }
    assert usage == Usage(40, 0, 3, 4)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"answers": 3}', b"\xff"])
def test_anything_else_is_refused(body):
    with pytest.raises(InputError, match="decisions endpoint"):
        parse_decision(body)
