"""The clients that are tried: for each, what it does to ask for one thing at a base URL.

Every function takes a base URL, the system prompt and the user's text, and returns what a program
would get. A client that is not installed is skipped, not left out, and so is a call that it hasn't.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import openai
import pydantic
import pytest

NODE = Path(__file__).parent / "node"
CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: Any = {
    "type": "function",
    "function": {"name": "book", "description": "Book a trip.", "parameters": CITY},
}


class Label(pydantic.BaseModel):
    """What a parsed answer is."""

    label: str


def _chat(system: str, user: str) -> Any:
    turns = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return {"model": "gpt-4o", "messages": turns}


def _called(name: str, arguments: str) -> dict[str, Any]:
    return {"name": name, "input": json.loads(arguments)}


def openai_sync(what: str, url: str, system: str, user: str) -> Any:
    """The official client, chat completions."""
    asked = _chat(system, user)
    with openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client:
        chat = client.chat.completions
        if what == "stream":
            chunks = list(chat.create(**asked, stream=True))
            return "".join(c.choices[0].delta.content or "" for c in chunks)
        if what == "tool_stream":
            with chat.stream(**asked, tools=[TOOL]) as stream:
                last: Any = stream.get_final_completion()
            call = last.choices[0].message.tool_calls[0]
            return _called(call.function.name, call.function.arguments)
        if what == "tool":
            made: Any = chat.create(**asked, tools=[TOOL]).choices[0].message.tool_calls
            return _called(made[0].function.name, made[0].function.arguments)
        if what == "parsed":
            done = chat.parse(**asked, response_format=Label).choices[0].message.parsed
            return done and done.model_dump()
        if what == "embed":
            return client.embeddings.create(model="e", input="x").data[0].embedding
        if what == "models":
            return [model.id for model in client.models.list()]
        if what == "count":
            pytest.skip("chat completions have no count of tokens")
        return chat.create(**asked).choices[0].message.content


def openai_async(what: str, url: str, system: str, user: str) -> Any:
    """The official client, chat completions, asynchronous."""
    asked = _chat(system, user)

    async def go() -> Any:
        async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
            chat = client.chat.completions
            if what == "stream":
                stream = await chat.create(**asked, stream=True)
                return "".join([c.choices[0].delta.content or "" async for c in stream])
            if what == "tool_stream":
                async with chat.stream(**asked, tools=[TOOL]) as events:
                    last: Any = await events.get_final_completion()
                call = last.choices[0].message.tool_calls[0]
                return _called(call.function.name, call.function.arguments)
            if what == "tool":
                made: Any = (await chat.create(**asked, tools=[TOOL])).choices[0].message
                called = made.tool_calls[0].function
                return _called(called.name, called.arguments)
            if what == "parsed":
                done = (await chat.parse(**asked, response_format=Label)).choices[0].message
                return done.parsed and done.parsed.model_dump()
            if what == "embed":
                return (await client.embeddings.create(model="e", input="x")).data[0].embedding
            if what == "models":
                return [model.id async for model in client.models.list()]
            if what == "count":
                pytest.skip("chat completions have no count of tokens")
            return (await chat.create(**asked)).choices[0].message.content

    return asyncio.run(go())


def openai_responses(what: str, url: str, system: str, user: str) -> Any:
    """The official client, responses."""
    asked: Any = {"model": "gpt-4o", "instructions": system, "input": user}
    flat: Any = {"type": "function", "strict": False, **TOOL["function"]}
    with openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client:
        if what == "stream":
            with client.responses.stream(**asked) as stream:
                return stream.get_final_response().output_text
        if what == "tool_stream":
            with client.responses.stream(**asked, tools=[flat]) as stream:
                call: Any = stream.get_final_response().output[0]
            return _called(call.name, call.arguments)
        if what == "tool":
            call = client.responses.create(**asked, tools=[flat]).output[0]
            return _called(call.name, call.arguments)
        if what == "parsed":
            done = client.responses.parse(**asked, text_format=Label).output_parsed
            return done and done.model_dump()
        if what == "embed":
            pytest.skip("responses have no embeddings")
        if what == "models":
            return [model.id for model in client.models.list()]
        if what == "count":
            return client.responses.input_tokens.count(**asked).input_tokens
        return client.responses.create(**asked).output_text


def anthropic_sync(what: str, url: str, system: str, user: str) -> Any:
    """The official Anthropic client."""
    said: Any = [{"role": "user", "content": user}]
    asked: Any = {"model": "claude-x", "max_tokens": 64, "system": system, "messages": said}
    tool: Any = {"name": "book", "description": "Book a trip.", "input_schema": CITY}
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client:
        if what == "stream":
            with client.messages.stream(**asked) as stream:
                return "".join(stream.text_stream)
        if what == "tool_stream":
            with client.messages.stream(**asked, tools=[tool]) as stream:
                block: Any = stream.get_final_message().content[0]
            return {"name": block.name, "input": block.input}
        if what == "tool":
            block = client.messages.create(**asked, tools=[tool]).content[0]
            return {"name": block.name, "input": block.input}
        if what == "parsed":
            done: Any = client.messages.parse(**asked, output_format=Label)
            return done.parsed_output.model_dump()
        if what == "embed":
            pytest.skip("Anthropic has no embeddings")
        if what == "models":
            return [model.id for model in client.models.list()]
        if what == "count":
            del asked["max_tokens"]
            return client.messages.count_tokens(**asked).input_tokens
        block = client.messages.create(**asked).content[0]
        return block.text


def langchain(what: str, url: str, system: str, user: str) -> Any:
    """LangChain's ChatOpenAI."""
    found = pytest.importorskip("langchain_openai")
    if what in ("models", "count"):
        pytest.skip("LangChain asks nobody for that")
    if what == "embed":
        made = found.OpenAIEmbeddings(
            base_url=url, api_key="k", model="e", check_embedding_ctx_length=False
        )
        return made.embed_query("x")
    model = found.ChatOpenAI(base_url=url, api_key="k", model="gpt-4o", max_retries=0)
    turns = [("system", system), ("human", user)]
    if what == "stream":
        return "".join(chunk.text for chunk in model.stream(turns))
    if what == "tool_stream":
        whole: Any = None
        for chunk in model.bind_tools([TOOL]).stream(turns):
            whole = chunk if whole is None else whole + chunk
        (call,) = whole.tool_calls
        return {"name": call["name"], "input": call["args"]}
    if what == "tool":
        (call,) = model.bind_tools([TOOL]).invoke(turns).tool_calls
        return {"name": call["name"], "input": call["args"]}
    if what == "parsed":
        return model.with_structured_output(Label).invoke(turns).model_dump()
    return model.invoke(turns).text


def litellm(what: str, url: str, system: str, user: str) -> Any:
    """The LiteLLM SDK."""
    found = pytest.importorskip("litellm")
    asked = _chat(system, user) | {"model": "openai/gpt-4o"}
    asked |= {"api_base": url, "api_key": "k", "max_retries": 0, "num_retries": 0}
    if what in ("models", "count"):
        pytest.skip("LiteLLM's completion API has no such call")
    if what == "embed":
        made = found.embedding(
            model="openai/e", input=["x"], api_base=url, api_key="k", max_retries=0
        )
        return made.data[0]["embedding"]
    if what == "stream":
        chunks = found.completion(**asked, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    if what == "tool_stream":
        chunks = list(found.completion(**asked, tools=[TOOL], stream=True))
        call = found.stream_chunk_builder(chunks).choices[0].message.tool_calls[0].function
        return _called(call.name, call.arguments)
    if what == "tool":
        made = found.completion(**asked, tools=[TOOL]).choices[0].message.tool_calls
        return _called(made[0].function.name, made[0].function.arguments)
    if what == "parsed":
        done = found.completion(**asked, response_format=Label).choices[0].message.content
        return json.loads(done)
    return found.completion(**asked).choices[0].message.content


class NodeError(Exception):
    """What the client in node raised; `status_code` is the HTTP status that it saw."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status_code = status


def _vercel(provider: str) -> Callable[[str, str, str, str], Any]:
    def ask(what: str, url: str, system: str, user: str) -> Any:
        node = shutil.which("node")
        if node is None or not (NODE / "node_modules").is_dir():
            pytest.skip("node or its packages are not installed: make clients")
        if what in ("models", "count") or (what == "embed" and provider != "compatible"):
            pytest.skip("the SDK has no such call, or another of its providers is asked")
        told = json.dumps({"system": system, "user": user})
        command = [node, "ask.mjs", provider, what, url, told]
        ran = subprocess.run(
            command, cwd=NODE, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, ran.stderr[-2000:]
        found = json.loads(ran.stdout.splitlines()[-1])
        if "error" in found:
            raise NodeError(found["error"], found["message"])
        return found["said"]

    return ask


CLIENTS: dict[str, Callable[[str, str, str, str], Any]] = {
    "openai": openai_sync,
    "openai async": openai_async,
    "openai responses": openai_responses,
    "anthropic": anthropic_sync,
    "langchain-openai": langchain,
    "litellm": litellm,
    "ai openai-compatible": _vercel("compatible"),
    "ai openai chat": _vercel("chat"),
    "ai openai responses": _vercel("responses"),
    "ai anthropic": _vercel("anthropic"),
}

ROOTS = {"anthropic": ("", "/v1")}
"""What a client's base URL ends with as its documentation has it, and as others write it."""
USUAL = ("/v1", "")
