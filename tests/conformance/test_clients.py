"""Existing code works by changing its base URL alone, tried with each client.

Each client first asks the upstream itself, as its team's code does today; the request that arrives
there is what the task is learnt from. Then it asks the gateway, in the very same way.
"""

import json

import pytest
from tests.conformance.clients import CLIENTS
from tests.serve.conftest import make_task

from stepdown.core.calls import Answer, ToolCall
from stepdown.serve.dialects import dialect_of

SYSTEM = "Name the intent."
CALL = ToolCall("book", '{"city":"Paris"}')
ANSWERS = {
    "text": (Answer("greet"), "greet"),
    "stream": (Answer("greet"), "greet"),
    "tool": (Answer(None, (CALL,)), {"name": "book", "input": {"city": "Paris"}}),
    "tool_stream": (Answer(None, (CALL,)), {"name": "book", "input": {"city": "Paris"}}),
    "parsed": (Answer('{"label":"greet"}'), {"label": "greet"}),
}
clients = pytest.mark.parametrize("client", CLIENTS)


def learnt_from(upstream):
    """The task of the last request that the upstream has seen."""
    _, path, _, body = upstream.seen[-1]
    return make_task("task", json.loads(dialect_of(path).chat(body)))


@clients
@pytest.mark.parametrize("scenario", ANSWERS)
def test_a_student_answers(client, scenario, world, start, upstream, told):
    told(client, f"student, {scenario.replace('_', ' ')}")
    ask = CLIENTS[client]
    answer, expected = ANSWERS[scenario]
    upstream.words = ['{"label":"up"}']
    try:
        ask(scenario, upstream.url, SYSTEM, "hello")
    except Exception as unlike:  # noqa: BLE001 - each client is surprised in its own way
        # The double answers with text where a call was asked for: what it was asked is what counts.
        assert upstream.seen, unlike
    world.tasks = [learnt_from(upstream)]
    world.student.known = {"hello": (answer, 0.99)}
    upstream.seen.clear()
    assert ask(scenario, start(), SYSTEM, "hello") == expected
    assert upstream.seen == []
    assert [line["stepdown"]["tier"] for line in world.lines()] == ["small"]


@clients
@pytest.mark.parametrize("scenario", ["text", "stream"])
def test_the_rest_goes_upstream(client, scenario, start, upstream, told):
    told(client, f"upstream, {scenario}")
    ask = CLIENTS[client]
    direct = ask(scenario, upstream.url, SYSTEM, "what?")
    sent = upstream.seen.pop()
    assert ask(scenario, start(), SYSTEM, "what?") == direct
    assert upstream.seen.pop()[3] == sent[3]


@clients
def test_an_upstreams_error_reaches_the_caller(client, start, upstream, told):
    told(client, "error")
    upstream.fault = "status:429"
    with pytest.raises(Exception) as caught:
        CLIENTS[client]("text", start(), SYSTEM, "what?")
    assert getattr(caught.value, "status_code", None) == 429


@clients
def test_embeddings_are_relayed(client, start, told):
    told(client, "embeddings")
    assert CLIENTS[client]("embed", start(), SYSTEM, "x") == pytest.approx([0.25, -0.5])
