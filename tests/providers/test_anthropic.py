"""Completing chat requests against messages on loopback, and every way that fails."""

import asyncio
import json

import pytest
from tests.providers.fake_apis import fake_apis

from stepdown.errors import InputError, UpstreamError
from stepdown.providers.anthropic import PROVIDER
from stepdown.wire.openai import parse_answer

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def complete(root, text, key="key", **fields):
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **fields}

    async def go():
        async with PROVIDER.connect(root, key) as ask:
            return await ask(json.dumps(body).encode())

    return parse_answer(asyncio.run(go()))


@pytest.mark.parametrize("tail", ["/v1", "/v1/", ""])
def test_an_answer_is_a_completion(tail):
    with fake_apis() as (fake, root):
        answer, usage, model = complete(root + tail, "say yes", seed=3)
    assert (answer.text, model) == ("yes", "m")
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (100, 10)
    assert "seed" not in fake.asked[0]


def test_tools_formats_and_refusals_come_through():
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    with fake_apis() as (_, root):
        called, _, _ = complete(root, "say yes", tools=[TOOL], tool_choice="required")
        formed, _, _ = complete(root, "say yes", response_format=schema)
        refused, _, _ = complete(root, "please refuse")
    assert (called.tool_calls[0].name, called.tool_calls[0].arguments) == ("look", '{"word":"yes"}')
    assert formed.text == '{"word": "yes"}'
    assert (refused.text, refused.finish_reason) == (None, "content_filter")
    assert refused.refusal


def test_errors_have_their_status_and_when_to_try_again():
    with fake_apis() as (_, root):
        with pytest.raises(UpstreamError, match="status 429") as busy:
            complete(root, "busy")
        with pytest.raises(UpstreamError, match="status 401") as stranger:
            complete(root, "say yes", key="other")
    assert (busy.value.status, busy.value.retry_after) == (429, 7.0)
    assert (stranger.value.status, stranger.value.retry_after) == (401, None)
    with pytest.raises(UpstreamError, match="does not answer") as nobody:
        complete(root, "say yes")
    assert nobody.value.status is None


def test_what_can_t_be_asked_there_is_not_sent():
    with fake_apis() as (fake, root):
        with pytest.raises(UpstreamError, match="image_url") as refused:
            complete(root, [{"type": "image_url", "image_url": {"url": "data:,"}}])
        with pytest.raises(InputError):
            complete(root, 7)
    assert (refused.value.status, fake.asked) == (400, [])
