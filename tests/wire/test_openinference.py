"""OpenInference attributes."""

import json

from stepdown.wire.openinference import answer_message, is_chat, request_body

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "temperature": 0}
NUMBERED = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "m",
    "llm.invocation_parameters": '{"temperature": 0}',
    "llm.input_messages.0.message.role": "user",
    "llm.input_messages.0.message.contents.0.message_content.type": "text",
    "llm.input_messages.0.message.contents.0.message_content.text": "hi",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": "{}",
    "llm.tools.0.tool.json_schema": '{"type": "function", "function": {"name": "f"}}',
}


def test_the_body_itself_wins():
    assert request_body({**NUMBERED, "input.value": json.dumps(BODY)}) == BODY


def test_numbered_attributes_tell_the_same():
    body = request_body(NUMBERED)
    assert body == {
        **BODY,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
    }
    answer = answer_message(NUMBERED)
    assert answer is not None
    assert answer["tool_calls"][0]["function"]["name"] == "f"


def test_plain_text_on_either_side():
    told = {"input.value": "hi", "output.value": "yes", "llm.model_name": "m"}
    assert request_body(told) == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    assert answer_message(told) == {"role": "assistant", "content": "yes"}
    assert request_body({}) is None
    assert answer_message({}) is None


def test_completions_and_embeddings_are_no_chat():
    assert is_chat(NUMBERED)
    assert not is_chat({"openinference.span.kind": "CHAIN"})
    assert not is_chat({**NUMBERED, "llm.prompts.0.prompt.text": "hi"})
