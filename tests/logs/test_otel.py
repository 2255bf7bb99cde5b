"""OTLP spans."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Usage
from stepdown.core.ports import Line
from stepdown.logs import reasons
from stepdown.logs.otel import FORMAT, OTHER_WORK


def test_newest_and_legacy_names(exported):
    calls, entry = exported("otel.jsonl")
    assert entry.format == "otel"
    # Every span is a line; HTTP's are other work.
    assert (entry.lines, entry.calls) == (10, 4)
    assert entry.rejected == {OTHER_WORK: 4, reasons.NO_CONTENT: 1, reasons.ERROR_ANSWER: 1}
    assert [call.group for call in calls] == ["s0", "s1", None, None]
    assert {call.answer.finish_reason for call in calls} == {"stop"}
    assert {json.dumps(call.request.params) for call in calls} == {'{"temperature": 0.0}'}


def test_openinference(exported):
    calls, entry = exported("openinference.json")
    assert (entry.format, entry.rejected) == ("otel", {})
    assert [call.group for call in calls] == ["s0", "s1", "s0", "s1"]
    assert {json.dumps(call.request.params) for call in calls} == {'{"temperature": 0}'}


def test_a_span_alone_is_a_line():
    span = {"name": "chat", "attributes": []}
    line = Line(json.dumps(span).encode(), "x", 1)
    assert list(FORMAT.records(line)) == [line]
    assert FORMAT.detect([span])
    assert list(FORMAT.read([line])) == [OTHER_WORK]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
names = st.sampled_from(
    (
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "gen_ai.system_instructions",
        "gen_ai.tool.definitions",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.0.content",
        "llm.input_messages.0.message.content",
        "output.value",
        "input.value",
        "openinference.span.kind",
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
    )
)


@given(st.dictionaries(names, values))
def test_hostile_text_in_every_field_is_read_or_told(told):
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in told.items()}
    attributes = [{"key": k, "value": {"stringValue": v}} for k, v in texts.items()]
    attributes.append({"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}})
    span = {"name": "chat", "attributes": attributes}
    assert len(list(FORMAT.read([Line(json.dumps(span).encode(), "x", 1)]))) == 1


def test_tools_with_names_of_their_own(exported):
    """Vercel's AI SDK, Logfire, Pydantic AI's events, Langfuse: one of each."""
    calls, entry = exported("otel_tools.jsonl")
    # The SDK's outer span says the same once more; embeddings are no chat.
    assert (entry.format, entry.rejected) == ("otel", {OTHER_WORK: 3})
    assert {json.dumps(call.request.params) for call in calls} == {'{"temperature": 0}'}
    sdk = calls[0]
    assert sdk.task == "concerns"
    assert [turn.role for turn in sdk.request.messages] == [
        *("system", "user", "assistant", "tool", "user")
    ]
    assert sdk.request.messages[2].tool_calls[0].arguments == '{"concern":"?"}'
    assert sdk.request.messages[3].text == "noted"
    assert sdk.request.tools.tools[0].parameters["type"] == "object"
    assert sdk.answer.tool_calls[0].name == "note"
    assert [call.by.get("user") for call in calls] == [None, None, None, "u1"]


def test_openinference_of_frameworks(exported):
    """LangChain, LlamaIndex and Google's client put objects of their own beside the messages."""
    calls, entry = exported("openinference_frameworks.jsonl")
    assert (len(calls), entry.rejected) == (4, {OTHER_WORK: 2})
    assert {json.dumps(call.request.params) for call in calls} == {'{"temperature": 0}'}


def test_content_in_log_records_is_joined_with_the_spans_of_another_file(exported):
    calls, entry = exported("otel_events")
    assert (entry.format, entry.joined) == ("otel", 10)
    assert entry.rejected == {OTHER_WORK: 1, reasons.NO_CONTENT: 1}
    assert {call.answer.finish_reason for call in calls} == {"stop"}
    assert {call.by["service"] for call in calls} == {"care"}


def record(name, **fields):
    pairs = {"event.name": name, **fields}
    attributes = [{"key": k, "value": {"stringValue": v}} for k, v in pairs.items()]
    return {"attributes": attributes, "timeUnixNano": "1793534400000000000"}


def test_log_records_alone_are_a_call(log, tmp_path):
    said = {
        "gen_ai.request.model": "m",
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]',
        "gen_ai.output.messages": '[{"role": "x", "parts": [{"type": "text", "content": "yes"}]}]',
    }
    whole = record("gen_ai.client.inference.operation.details", **said)
    halves = [
        record("gen_ai.user.message", content="ho", **{"gen_ai.system": "openai"}),
        record("gen_ai.choice", message='{"content": "no"}', **{"gen_ai.system": "openai"}),
    ]
    ids = {"traceId": "1", "spanId": "2"}
    batch = {"resourceLogs": [{"scopeLogs": [{"logRecords": [whole, *(h | ids for h in halves)]}]}]}
    path = tmp_path / "logs.jsonl"
    path.write_text(json.dumps(batch), encoding="utf-8")
    calls, (entry,) = log.read(path)
    assert [(call.request.messages[0].text, call.answer.text) for call in calls] == [
        ("hi", "yes"),
        ("ho", "no"),
    ]
    assert {call.time for call in calls} == {1793534400.0}
    assert (entry.joined, entry.rejected) == (1, {})


def test_spans_that_tell_their_content_wait_for_nothing():
    spoken = [{"name": "chat", "attributes": [{"key": "gen_ai.prompt.0.content", "value": {}}]}]
    bare = [{"name": "chat", "attributes": [{"key": "gen_ai.system", "value": {}}]}]
    assert FORMAT.suited(spoken) is FORMAT
    assert getattr(FORMAT.suited(bare), "joins", False)
    assert getattr(FORMAT.suited([*spoken, {"resourceLogs": []}]), "joins", False)


@pytest.mark.parametrize("name", ["write", "creation"])
def test_what_was_put_into_the_cache_is_among_the_tokens_read(name):
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.prompt.0.content": "hi",
        "gen_ai.completion.0.content": "yes",
        "gen_ai.usage.input_tokens": 3_010,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 2_000,
        f"gen_ai.usage.cache_{name}.input_tokens": 1_000,
    }
    kinds = {str: "stringValue", int: "intValue"}
    pairs = [{"key": key, "value": {kinds[type(v)]: v}} for key, v in told.items()]
    (call,) = FORMAT.read([Line(json.dumps({"attributes": pairs}).encode(), "x", 1)])
    assert not isinstance(call, str)
    assert call.usage == Usage(3_010, 3, 2_000, 1_000)


def line_of(told, **ids):
    kinds = {str: "stringValue", int: "intValue"}
    pairs = [{"key": key, "value": {kinds[type(v)]: v}} for key, v in told.items()]
    return Line(json.dumps({"attributes": pairs, "startTimeUnixNano": 1, **ids}).encode(), "x", 1)


CONVENTIONS = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m",
    "gen_ai.request.seed": 7,
    "gen_ai.prompt.0.content": "hi",
    "gen_ai.completion.0.content": "yes",
    "gen_ai.usage.input_tokens": 5,
    "gen_ai.usage.output_tokens": 1,
    "gen_ai.prompt.name": "greet",
}


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"langfuse.observation.input": "hi", "langfuse.observation.output": "yes"},
        {
            "langfuse.observation.model.name": "m",
            "langfuse.observation.usage_details": '{"input": 5, "output": 1}',
        },
    ],
)
def test_what_langfuse_does_not_tell_is_told_by_the_conventions(own):
    told = {**CONVENTIONS, "langfuse.observation.type": "generation", **own}
    (call,) = FORMAT.read([line_of(told)])
    assert not isinstance(call, str)
    assert (call.request.messages[0].text, call.answer.text) == ("hi", "yes")
    assert (call.model, call.task, call.usage) == ("m", "greet", Usage(5, 1))
    assert call.request.params == {"seed": 7}


def test_spans_without_any_log_records_are_not_held_in_memory():
    joined = FORMAT.suited([{"name": "chat", "attributes": [{"key": "gen_ai.system"}]}])
    told = {"gen_ai.operation.name": "chat"}
    count = 5_000
    lines = (line_of(told, traceId=f"{i:032}", spanId=f"{i:016}") for i in range(count))
    tracemalloc.start()
    try:
        read = list(joined.read(lines))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read == [reasons.NO_CONTENT] * count
    # The spans themselves wait in a file, which the system's memory holds while it is small.
    length = len(line_of(told, traceId="0" * 32, spanId="0" * 16).data)
    assert peak < count * (length * 1.5 + 150)
