"""How an answer comes: whose model a name is, and what goes upstream for it."""

import json
from types import SimpleNamespace

import msgspec
from tests.serve.conftest import SYSTEM

from stepdown.serve.answering import own_model, real_model, upstream_body
from stepdown.serve.chain import chains_of
from stepdown.serve.dialects import MESSAGES
from stepdown.serve.gateway import Gateway, new_turn
from stepdown.serve.settings import Settings
from stepdown.wire.openai import parse_request


def test_models_of_ours():
    assert own_model("stepdown/intents") == "intents"
    assert own_model("gpt-4o") is None


def test_only_a_name_of_ours_is_replaced(world, body):
    gateway = Gateway(Settings(frontier_model="gpt-best"), world.load, None)

    def sent(model):
        turn = new_turn("POST", "/chat/completions", [])
        turn.body = json.dumps(body(model=model)).encode()
        turn.request = parse_request(turn.body)
        return turn.body, upstream_body(gateway, turn, None), turn.model

    given, found, model = sent("gpt-4o")
    assert (found, model) == (given, "gpt-4o")
    given, found, model = sent("auto")
    assert json.loads(found) == {**json.loads(given), "model": "gpt-best"}
    assert model == "gpt-best"
    plain = Gateway(Settings(), world.load, None)
    turn = msgspec.structs.replace(new_turn("POST", "/", []), body=given)
    turn.request = parse_request(given)
    assert upstream_body(plain, turn, None) is None


def test_only_a_usage_that_is_our_estimate_is_said_to_be_one(start, complete, body):
    start()
    for more in ({}, {"stream": True, "stream_options": {"include_usage": True}}):
        answered, relayed = complete(body(**more)), complete(body("hm", **more))
        assert answered.decision()[0] == "answered"
        assert answered.headers["x-stepdown-usage"] == "estimated"
        assert b'"usage"' in answered.body
        assert "x-stepdown-usage" not in relayed.headers
    user = {"role": "user", "content": "hello"}
    asked = {"model": "m", "max_tokens": 9, "system": SYSTEM, "messages": [user]}
    found = complete(asked, path="/v1/messages")
    assert found.headers["x-stepdown-usage"] == "estimated"


def test_of_the_models_that_a_task_learnt_from_one_fits_the_address(task_of, body):
    def model(address, *names):
        task = msgspec.structs.replace(task_of("t", body()), models=dict.fromkeys(names, 1))
        chains = chains_of(Settings(base_url=address))
        gateway = SimpleNamespace(chains=chains, model_of=lambda dialect: None)
        return real_model(gateway, MESSAGES, task)

    anthropic, openai = "https://api.anthropic.com", "https://api.openai.com"
    assert model(anthropic, "gpt-4o", "claude-opus-4-1") == "claude-opus-4-1"
    assert model(openai, "claude-opus-4-1", "gpt-4o") == "gpt-4o"
    assert model(anthropic, "gpt-4o") is None
    assert model("http://127.0.0.1:4000", "gpt-4o") == "gpt-4o"
