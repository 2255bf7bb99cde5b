"""OTLP spans."""

import json

from hypothesis import given
from hypothesis import strategies as st

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
