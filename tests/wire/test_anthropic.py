"""Messages requests as chat completions: nothing that asks for something gets lost on the way."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.errors import InputError
from stepdown.wire.anthropic import chat_of_messages
from stepdown.wire.openai import parse_request


def chat(**fields):
    given: dict = {"model": "claude-x", "max_tokens": 9, "messages": [user("hi")], **fields}
    return json.loads(chat_of_messages(json.dumps(given).encode()))


def user(content):
    return {"role": "user", "content": content}


def test_the_system_prompt_comes_first():
    found = chat(system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "x"}}])
    assert found["messages"] == [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        user("hi"),
    ]
    assert (found["model"], found["max_tokens"]) == ("claude-x", 9)


def test_tool_calls_and_their_results_are_turns_of_their_own():
    call = {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": 1}}
    thought = {"type": "thinking", "thinking": "hm", "signature": "s"}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "I look."}, call]}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "nothing"}
    found = chat(messages=[said, user([result, {"type": "text", "text": "Well?"}])])["messages"]
    assert [one["role"] for one in found] == ["assistant", "tool", "user"]
    assert found[0]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at":1}'}
    assert found[0]["content"] == [{"type": "text", "text": "I look."}]
    assert (found[1]["tool_call_id"], found[1]["content"]) == ("t1", "nothing")
    assert found[2]["content"] == [{"type": "text", "text": "Well?"}]


def test_tools_have_the_hash_that_they_have_in_chat_completions():
    schema = {"type": "object", "properties": {"at": {"type": "integer"}}}
    tool = {"name": "look", "description": "Look.", "input_schema": schema}
    function = {"name": "look", "description": "Look.", "parameters": schema}
    ours = parse_request(json.dumps(chat(tools=[tool])).encode())
    direct = {"model": "m", "messages": [user("hi")]}
    direct["tools"] = [{"type": "function", "function": function}]
    assert ours.tools == parse_request(json.dumps(direct).encode()).tools
    hosted = chat(tools=[{"type": "web_search_20250305", "name": "web_search"}])
    assert parse_request(json.dumps(hosted).encode()).tools.tools[0].kind == "web_search_20250305"


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        (
            {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
            {
                "tool_choice": {"type": "function", "function": {"name": "look"}},
                "parallel_tool_calls": False,
            },
        ),
    ],
)
def test_tool_choice(choice, found):
    assert found.items() <= chat(tool_choice=choice).items()


def test_fields_have_their_counterparts_and_strangers_keep_their_names():
    found = chat(
        stop_sequences=["END"],
        metadata={"user_id": "u1", "stepdown_task": "t"},
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"effort": "low", "format": {"type": "json_schema", "schema": {}}},
        top_k=5,
    )
    assert found["stop"] == ["END"]
    assert (found["user"], found["metadata"]) == ("u1", {"stepdown_task": "t"})
    assert found["thinking"]["type"] == "enabled"
    assert found["output_config"] == {"effort": "low"}
    assert found["response_format"]["json_schema"]["schema"] == {}
    assert found["top_k"] == 5
    assert "thinking" not in chat(thinking={"type": "disabled"})


def test_images_stay_what_no_student_reads():
    image = {"type": "image", "source": {"type": "base64", "data": "AA=="}}
    request = parse_request(json.dumps(chat(messages=[user([image])])).encode())
    assert request.messages[0].other_parts == ("image",)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"messages": []}',
        b'{"messages": {"a": 1}}',
        b'{"messages": ["hi"]}',
        b'{"messages": [{"role": "user", "content": 7}]}',
        b'{"messages": [{"role": "user", "content": ["hi"]}]}',
        b'{"system": 7, "messages": [{"role": "user", "content": "x"}]}',
        b'{"tools": {"a": 1}, "messages": [{"role": "user", "content": "x"}]}',
        b'{"messages": [{"role": "user", "content": "x"}], "a": ' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)
def test_what_is_no_request_is_said(body):
    with pytest.raises(InputError, match="not a messages request"):
        chat_of_messages(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["system", "messages", "tools", "tool_choice", "metadata", "thinking", "output_config"]
)


@given(st.dictionaries(FIELDS, JSON))
def test_s11_whatever_stands_in_a_field_is_read_or_refused(fields):
    try:
        chat_of_messages(msgspec.json.encode(fields))
    except InputError as refused:
        assert str(refused).count("messages request") == 1
