"""`/v1/models`: ours first, then the upstream's, whatever state it is in."""

from contextlib import closing

import anthropic
import openai
import pytest
from aiohttp import web
from tests.serve.conftest import make

from stepdown.serve.settings import Endpoint


def listing(*names):
    async def answer(request, body, argument):
        data = [{"id": name, "object": "model", "created": 1, "owned_by": "up"} for name in names]
        if request.path == "/v1/models":
            return web.json_response({"object": "list", "data": data})
        found = [model for model in data if request.path.endswith(f"/{model['id']}")]
        if found:
            return web.json_response(found[0])
        return web.json_response({"error": {"message": "no such model"}}, status=404)

    return answer


def test_our_models_and_the_upstreams(start, world):
    world.upstream.fault = "listing"
    world.upstream._listing = listing("gpt-4o", "other")
    url = start()
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k") as client:
        names = [model.id for model in client.models.list()]
        assert names == ["auto", "stepdown/intents", "gpt-4o", "other"]
        assert client.models.retrieve("auto").owned_by == "stepdown"
        assert client.models.retrieve("stepdown/intents").object == "model"
        assert client.models.retrieve("gpt-4o").owned_by == "up"
        with pytest.raises(openai.NotFoundError, match="no such model"):
            client.models.retrieve("unknown")
        with pytest.raises(openai.NotFoundError, match="There is no model 'stepdown/unknown'"):
            client.models.retrieve("stepdown/unknown")


def test_a_key_sees_its_own_tasks_alone(start, world, ask):
    keys = [world.issue(name, tasks=tasks) for name, tasks in (("a", ("intents",)), ("b", ("x",)))]
    keys.append(world.issue("c"))
    start(api_key="k")
    told = []
    for key in keys:
        own = {"authorization": f"Bearer {key}"}
        listed = ask("GET", "/v1/models", headers=own).json()["data"]
        told.append([model["id"] for model in listed])
        found = ask("GET", "/v1/models/stepdown/intents", headers=own).status
        assert found == (200 if "stepdown/intents" in told[-1] else 404)
    assert told == [["auto", "stepdown/intents"], ["auto"], ["auto", "stepdown/intents"]]


@pytest.mark.parametrize("model", [None, "gpt-4o"])
def test_auto_is_a_model_where_one_may_stand_for_it(start, world, ask, body, complete, model):
    world.tasks, world.routed = [], False
    start(frontier_model=model)
    assert [one["id"] for one in ask("GET", "/v1/models").json()["data"]] == ["auto"] * bool(model)
    assert complete(body(model="auto")).status == (200 if model else 400)


def test_tasks_without_a_route_are_no_models(start, world, ask):
    world.routed = False
    start()
    assert [model["id"] for model in ask("GET", "/v1/models").json()["data"]] == ["auto"]


@pytest.mark.parametrize("fault", ["status:404", "status:500", "html", "blackhole", "bomb"])
def test_an_upstream_that_has_no_list(start, world, ask, fault, monkeypatch):
    monkeypatch.setattr("stepdown.serve.models._PATIENCE_S", 0.3)
    world.upstream.fault = fault
    start()
    reply = ask("GET", "/models")
    assert reply.status == 200
    assert [model["id"] for model in reply.json()["data"]] == ["auto", "stepdown/intents"]


def test_without_an_upstream(start, ask):
    start(base_url=None)
    reply = ask("GET", "/v1/models/gpt-4o")
    assert (reply.status, reply.json()["error"]["code"]) == (404, "model_not_found")
    assert len(ask("GET", "/v1/models").json()["data"]) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_the_upstream_refuses_is_refused(start, world, ask, status):
    world.upstream.fault = f"status:{status}"
    start()
    for headers in ({"authorization": "Bearer bad"}, {"x-api-key": "bad", **VERSION}):
        reply = ask("GET", "/v1/models", headers=headers)
        assert (reply.status, reply.json()["error"]["message"]) == (status, "no")
        assert reply.headers["content-type"].startswith("application/json")
        assert reply.headers["retry-after"] == "7"


def test_the_query_goes_along(start, world, ask):
    start()
    ask("GET", "/v1/models?limit=2&x=%20a")
    ask("GET", "/models?limit=2")
    paths = [path for _, path, _, _ in world.upstream.seen]
    assert paths == ["/v1/models?limit=2&x=%20a", "/v1/models?limit=2"]


VERSION = {"anthropic-version": "2023-06-01"}


async def anthropics(request, body, argument):
    """Two models, one a page."""
    later = "after_id" in request.query
    name = "claude-2" if later else "claude-1"
    made = "2025-01-01T00:00:00Z"
    data = [{"type": "model", "id": name, "display_name": name.title(), "created_at": made}]
    if not request.path.endswith("/models"):
        return web.json_response(data[0])
    ends = {"has_more": not later, "first_id": name, "last_id": name}
    return web.json_response({"data": data, **ends})


@pytest.fixture
def other():
    with closing(make([])) as made:
        made.fault = "pages"
        made.__dict__["_pages"] = anthropics
        yield made


def test_anthropics_clients_are_shown_the_models_of_its_chain(start, world, other, ask):
    url = start(messages=Endpoint(other.url), api_key="sk-openai")
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client:
        found = list(client.models.list(limit=1))
        assert [model.id for model in found] == ["auto", "stepdown/intents", "claude-1", "claude-2"]
        assert [model.display_name for model in found][1:3] == ["stepdown/intents", "Claude-1"]
        assert all(model.type == "model" and model.created_at.year >= 2025 for model in found)
        assert client.models.retrieve("auto").display_name == "auto"
        assert client.models.retrieve("claude-1").display_name == "Claude-1"
        with pytest.raises(anthropic.NotFoundError, match="There is no model"):
            client.models.retrieve("stepdown/unknown")
    paths = [path for _, path, _, _ in other.seen]
    assert paths[:2] == ["/v1/models?limit=1", "/v1/models?limit=1&after_id=claude-1"]
    # Its chain gets no key of another's.
    assert all("sk-openai" not in str(headers) for _, _, headers, _ in other.seen)
    assert world.upstream.seen == []
    first = ask("GET", "/v1/models", headers=VERSION).json()
    assert (first["has_more"], first["first_id"], first["last_id"]) == (True, "auto", "claude-1")


def test_anthropics_clients_read_any_upstreams_models(start, world):
    world.upstream.fault = "listing"
    world.upstream._listing = listing("gpt-4o")
    url = start()
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client:
        found = list(client.models.list())
    assert [model.id for model in found] == ["auto", "stepdown/intents", "gpt-4o"]
    assert found[2].created_at.year == 1970


def test_without_models_anthropics_clients_are_shown_ours(start, world):
    world.upstream.fault = "status:500"
    url = start()
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["auto", "stepdown/intents"]
