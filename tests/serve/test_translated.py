"""Anthropic's messages and OpenAI's responses, answered by a model that speaks chat alone."""

import json
from typing import Any

import anthropic
import openai
import pytest
from tests.serve.conftest import endpoint_of


def test_the_official_clients_get_their_own_dialect_from_a_chat_model(routed, world, tiers):
    url = routed(small=None)
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as claude:
        asked: Any = {"model": "claude-9", "max_tokens": 50}
        turns: Any = [{"role": "user", "content": "middling"}]
        said = claude.messages.create(**asked, messages=turns)
        assert said.content[0].text == "from mid"
        assert said.usage.input_tokens == 5
        with claude.messages.stream(**asked, messages=turns) as stream:
            assert "".join(stream.text_stream) == "from mid"
    with openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0) as gpt:
        made = gpt.responses.create(model="gpt-4o", input="middling")
        assert made.output_text == "from mid"
    assert [json.loads(asked)["model"] for _, _, _, asked in tiers[1].seen] == ["mid-1"] * 3
    assert world.upstream.seen == []
    assert {line["stepdown"]["tier"] for line in world.lines()} == {"mid"}


@pytest.mark.parametrize("fault", ["status:500", "html", "blackhole", "ends:0"])
def test_another_dialect_goes_up_too(routed, world, tiers, ask, fault):
    tiers[1].fault = fault
    routed(small=None, mid=endpoint_of(tiers[1], "mid", answer=0.3))
    turns = [{"role": "user", "content": "middling"}]
    reply = ask("POST", "/v1/messages", {"model": "claude-9", "max_tokens": 9, "messages": turns})
    assert reply.json()["content"][0]["text"] == "from up there"
    assert reply.headers["x-stepdown-tier"] == "frontier"
    assert reply.headers["x-stepdown-model"] == "claude-9-2026"
