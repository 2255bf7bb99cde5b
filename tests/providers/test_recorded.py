"""Replaying a log: the same answers, streamed or not, and none that were never logged."""

import asyncio
import json
from typing import Any

import openai
import pytest

from stepdown.core.calls import Answer, Call, Message, Request, ToolCall, Usage
from stepdown.errors import InputError, UpstreamError, UsageError
from stepdown.providers.recorded import PROVIDER, recording_of, request_key, serve_recorded
from stepdown.wire.openai import parse_answer, parse_request

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def body(text, **more) -> Any:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def call(answer, usage=None, **sent):
    request = parse_request(json.dumps(body(**sent)).encode())
    return Call("1", request, answer, "m", usage=usage)


CALLS = [
    call(Answer("a"), Usage(7, 2), text="q"),
    call(Answer(None, (ToolCall("f", '{"x":1}', "c1"),)), text="q", tools=TOOLS),
]


def test_the_key_is_of_what_was_asked_and_not_how():
    key = request_key(parse_request(json.dumps(body("q")).encode()))
    assert key == request_key(
        parse_request(json.dumps(body("q", stream=True, user="u", temperature=0)).encode())
    )
    assert key != request_key(parse_request(json.dumps(body("q", tools=TOOLS)).encode()))
    assert key != request_key(Request("m", (Message("system", "q"),)))


def test_the_last_of_several_answers_counts():
    calls = [CALLS[0], call(Answer("b"), text="q")]
    found = recording_of(calls).respond(json.dumps(body("q")).encode())
    assert found is not None
    assert found[1] == Answer("b")


def test_the_official_client_reads_the_recording():
    with serve_recorded(CALLS) as root, openai.OpenAI(base_url=root, api_key="k") as client:
        plain = client.chat.completions.create(**body("q"))
        assert plain.choices[0].message.content == "a"
        assert plain.usage is not None
        assert plain.usage.total_tokens == 9
        called = client.chat.completions.create(**body("q", tools=TOOLS))
        assert called.choices[0].message.tool_calls is not None
        assert called.choices[0].message.tool_calls[0].function.arguments == '{"x":1}'
        chunks = list(client.chat.completions.create(**body("q"), stream=True))
        assert "".join(c.choices[0].delta.content or "" for c in chunks) == "a"
        counted = list(
            client.chat.completions.create(
                **body("q"), stream=True, stream_options={"include_usage": True}
            )
        )
        assert counted[-1].usage is not None
        assert client.models.list().data == []


def test_what_was_not_logged_is_a_404_in_openais_shape():
    with serve_recorded(CALLS) as root, openai.OpenAI(base_url=root, api_key="k") as client:
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(**body("never asked"))
        assert caught.value.type == "stepdown_error"
        with pytest.raises(openai.BadRequestError):
            client.chat.completions.create(model="m", messages=[])


def test_a_port_in_use():
    with serve_recorded([]) as root:
        port = int(root.split(":")[2].removesuffix("/v1"))
        with pytest.raises(UsageError, match="in use"), serve_recorded([], port=port):
            pass


def test_the_provider_reads_a_native_log(tmp_path):
    log = tmp_path / "log.jsonl"
    response = {"choices": [{"message": {"role": "assistant", "content": "a"}}]}
    log.write_text(json.dumps({"request": body("q"), "response": response}), encoding="utf-8")

    async def ask(text):
        async with PROVIDER.connect(str(log)) as complete:
            return await complete(json.dumps(body(text)).encode())

    assert parse_answer(asyncio.run(ask("q")))[0].text == "a"
    with pytest.raises(UpstreamError, match="holds no answer"):
        asyncio.run(ask("other"))


@pytest.mark.parametrize("content", ["", "not json", '{"request": {}}'])
def test_a_file_that_is_no_native_log(tmp_path, content):
    log = tmp_path / "log.jsonl"
    if content:
        log.write_text(content, encoding="utf-8")

    async def connect():
        async with PROVIDER.connect(str(log)):
            pass

    with pytest.raises(InputError, match="can't be replayed"):
        asyncio.run(connect())
