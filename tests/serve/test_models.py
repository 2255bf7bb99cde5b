"""`/v1/models`: ours first, then the upstream's, whatever state it is in."""

import openai
import pytest
from aiohttp import web


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


def test_tasks_without_a_route_are_no_models(start, world, ask):
    world.routed = False
    start()
    assert [model["id"] for model in ask("GET", "/v1/models").json()["data"]] == ["auto"]


@pytest.mark.parametrize("fault", ["status:401", "html", "blackhole", "bomb"])
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
