"""Existing code works by changing its base URL alone, tried with each client.

Each client first asks the upstream itself, as its team's code does today; the request that arrives
there is what the task is learnt from. Then it asks the gateway, in the very same way.
"""

import json

import pytest
from aiohttp import web
from tests.conformance.clients import CLIENTS, ROOTS, USUAL
from tests.serve.conftest import make_task

from stepdown.core.calls import Answer, ToolCall, Usage
from stepdown.serve.dialects import Said, dialect_of
from stepdown.wire.openai_answers import Stamp

SYSTEM = "Name the intent."
CALL = ToolCall("book", '{"city":"Paris"}')
ANSWERS = {
    "text": (Answer("greet"), "greet"),
    "stream": (Answer("greet"), "greet"),
    "tool": (Answer(None, (CALL,)), {"name": "book", "input": {"city": "Paris"}}),
    "tool_stream": (Answer(None, (CALL,)), {"name": "book", "input": {"city": "Paris"}}),
    "parsed": (Answer('{"label":"greet"}'), {"label": "greet"}),
}
MODEL = {"id": "m-1", "object": "model", "created": 1, "owned_by": "up", "type": "model"}
MODELS = {"object": "list", "data": [MODEL], "has_more": False, "first_id": "m-1", "last_id": "m-1"}
COUNTED = {"object": "response.input_tokens", "input_tokens": 7}
clients = pytest.mark.parametrize("client", CLIENTS)


def ask(client, what, url, user, other=False):
    """Let a client ask at a root, with the base URL that it usually has or with the other."""
    usual, unusual = ROOTS.get(client, USUAL)
    return CLIENTS[client](what, url + (unusual if other else usual), SYSTEM, user)


def says(upstream, answer):
    """Let the upstream say something in whatever dialect it is asked."""

    async def said(request, body, argument):
        dialect, asked = dialect_of(request.path), json.loads(body)
        told = Said(answer, Stamp("up-1", 1, "up-model"), Usage(5, 3), body)
        streams = asked.get("stream") is True
        kind = "text/event-stream" if streams else "application/json"
        told = dialect.stream(told) if streams else dialect.body(told)
        return web.Response(body=told, content_type=kind)

    upstream._said, upstream.fault = said, "said"


def lists(upstream):
    async def listed(request, body, argument):
        return web.json_response(MODELS if request.method == "GET" else COUNTED)

    upstream._listed, upstream.fault = listed, "listed"


def learnt_from(upstream):
    """The task of the last request that the upstream has seen."""
    _, path, _, body = upstream.seen[-1]
    return make_task("task", json.loads(dialect_of(path).chat(body)))


@clients
@pytest.mark.parametrize("scenario", ANSWERS)
def test_a_student_answers(client, scenario, world, start, upstream, told):
    told(client, f"student, {scenario.replace('_', ' ')}")
    answer, expected = ANSWERS[scenario]
    upstream.words = ['{"label":"up"}']
    try:
        ask(client, scenario, upstream.url, "hello")
    except Exception as unlike:  # noqa: BLE001 - each client is surprised in its own way
        # The double answers with text where a call was asked for: what it was asked is what counts.
        assert upstream.seen, unlike
    world.tasks = [learnt_from(upstream)]
    world.student.known = {"hello": (answer, 0.99)}
    upstream.seen.clear()
    assert ask(client, scenario, start(), "hello") == expected
    assert upstream.seen == []
    assert [line["stepdown"]["tier"] for line in world.lines()] == ["small"]


@clients
@pytest.mark.parametrize("scenario", ANSWERS)
def test_the_rest_goes_upstream(client, scenario, start, upstream, told):
    told(client, f"upstream, {scenario.replace('_', ' ')}")
    answer, expected = ANSWERS[scenario]
    says(upstream, answer)
    assert ask(client, scenario, upstream.url, "what?") == expected
    sent = upstream.seen.pop()
    assert ask(client, scenario, start(), "what?") == expected
    assert (upstream.seen[0][1], upstream.seen.pop()[3]) == (sent[1], sent[3])
    assert upstream.seen == []


@clients
def test_another_base_url_is_understood(client, start, upstream, told):
    told(client, "upstream, other base URL")
    ask(client, "text", upstream.url, "what?")
    sent = upstream.seen.pop()
    assert ask(client, "text", start(), "what?", other=True) == "from up there"
    assert (upstream.seen[0][1], upstream.seen.pop()[3]) == (sent[1], sent[3])


@clients
def test_tokens_are_counted_upstream(client, start, upstream, told):
    told(client, "count tokens")
    lists(upstream)
    assert ask(client, "count", start(), "what?") == 7


@clients
def test_models_are_listed_with_ours(client, start, upstream, told):
    told(client, "models")
    lists(upstream)
    assert ask(client, "models", start(), "") == ["auto", "stepdown/intents", "m-1"]


@clients
def test_an_upstreams_error_reaches_the_caller(client, start, upstream, told):
    told(client, "error")
    upstream.fault = "status:429"
    with pytest.raises(Exception) as caught:
        ask(client, "text", start(), "what?")
    assert getattr(caught.value, "status_code", None) == 429


@clients
def test_embeddings_are_relayed(client, start, told):
    told(client, "embeddings")
    assert ask(client, "embed", start(), "x") == pytest.approx([0.25, -0.5])
