"""What a student's answer looks like on the wire, read back by our own readers and by OpenAI's."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from stepdown.core.calls import (
    Answer,
    Message,
    OutputFormat,
    Request,
    Tool,
    ToolCall,
    Toolset,
    Usage,
)
from stepdown.wire.openai import parse_answer
from stepdown.wire.openai_answers import (
    DONE,
    Stamp,
    completion_body,
    completion_frames,
    error_body,
    error_frame,
    estimated_usage,
)
from stepdown.wire.openai_streams import assemble

STAMP = Stamp("chatcmpl-7", 1_700_000_000, "gpt-4o")
USAGE = Usage(10, 3, 4, 2, 1)

tool_calls = st.lists(
    st.builds(ToolCall, st.text(min_size=1), st.text(), st.text(min_size=1)), max_size=3
).map(tuple)
answers = st.builds(Answer, st.text(min_size=1) | st.none(), tool_calls).filter(
    lambda answer: answer.text is not None or answer.tool_calls
)


def datas(frames: bytes) -> list[bytes]:
    return [frame.removeprefix(b"data: ") for frame in frames.split(b"\n\n") if frame]


@given(answers)
def test_a_body_reads_back_as_the_answer(answer):
    body = completion_body(answer, STAMP, USAGE)
    back, usage, model = parse_answer(body)
    assert (back.text, back.tool_calls) == (answer.text, answer.tool_calls)
    assert (usage, model) == (USAGE, "gpt-4o")
    ChatCompletion.model_validate_json(body, strict=True)


@given(answers, st.none() | st.just(USAGE))
def test_frames_add_up_to_the_body(answer, usage):
    frames = completion_frames(answer, STAMP, usage)
    streamed = assemble(datas(frames))
    assert streamed.finished
    back, counted, _ = parse_answer(json.dumps(streamed.completion).encode())
    assert (back.text or "", back.tool_calls) == (answer.text or "", answer.tool_calls)
    assert counted == usage
    for data in datas(frames):
        ChatCompletionChunk.model_validate_json(data, strict=True)


def test_frames_follow_the_conventions():
    answer = Answer(None, (ToolCall("f", "{}"), ToolCall("g", "{}")))
    chunks = [json.loads(data) for data in datas(completion_frames(answer, STAMP, None))]
    first, *calls, last = chunks
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert [c["choices"][0]["delta"]["tool_calls"][0]["index"] for c in calls] == [0, 1]
    assert last["choices"][0] == {
        "index": 0,
        "delta": {},
        "logprobs": None,
        "finish_reason": "tool_calls",
    }
    assert all("usage" not in chunk for chunk in chunks)
    assert {(c["id"], c["created"], c["model"], c["object"]) for c in chunks} == {
        ("chatcmpl-7", 1_700_000_000, "gpt-4o", "chat.completion.chunk")
    }


def test_usage_comes_last_and_alone_when_asked_for():
    chunks = [json.loads(d) for d in datas(completion_frames(Answer("x"), STAMP, USAGE))]
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 13


def test_tool_calls_without_ids_get_distinct_ones():
    answer = Answer(None, (ToolCall("f", "{}"), ToolCall("f", "{}")))
    calls = parse_answer(completion_body(answer, STAMP, USAGE))[0].tool_calls
    assert len({call.id for call in calls}) == 2
    assert all(call.id for call in calls)


@pytest.mark.parametrize("answer", [Answer(""), Answer("x"), Answer(None, (ToolCall("f", ""),))])
def test_usage_is_never_zero(answer):
    usage = estimated_usage(Request("m", (Message("user", ""),)), answer)
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0


def test_a_refusal_and_empty_text():
    refused = completion_frames(Answer(None, refusal="no"), STAMP, None)
    streamed = assemble(datas(refused)).completion
    assert streamed is not None
    assert streamed["choices"][0]["message"]["refusal"] == "no"
    assert parse_answer(completion_body(Answer(), STAMP, USAGE))[0].text == ""


def test_errors_have_openais_shape():
    body = json.loads(error_body("why", "code", "param"))
    assert body == {
        "error": {"message": "why", "type": "stepdown_error", "param": "param", "code": "code"}
    }
    assert json.loads(datas(error_frame("why"))[0])["error"]["message"] == "why"
    assert DONE == b"data: [DONE]\n\n"


def test_an_estimate_counts_tools_and_schema():
    tool = Tool("book", "Book a table.", {"properties": {"seats": {"type": "integer"}}})
    plain = Request("m", (Message("user", "a table for two"),))
    tooled = msgspec.structs.replace(plain, tools=Toolset((tool,), hash="t"))
    shaped = msgspec.structs.replace(
        plain, output_format=OutputFormat("json_schema", {"type": "object"}, hash="s")
    )
    counts = [estimated_usage(r, Answer("x")).input_tokens for r in (plain, tooled, shaped)]
    assert counts[1] - counts[0] >= 20
    assert counts[2] - counts[0] == 4
