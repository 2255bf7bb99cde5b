"""Requests and answers: what is read, what is tolerated, and that only InputError comes out."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.calls import Answer, Message, ToolCall, Usage
from stepdown.errors import InputError
from stepdown.wire import openai


def body(**fields):
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]} | fields)


def read(**fields):
    return openai.parse_request(body(**fields).encode())


def completion(message, **fields):
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"model": "m-1", "choices": [choice]} | fields).encode()


def test_reads_every_field_of_a_request():
    request = read(
        temperature=0.2,
        stop=["\n"],
        stream=True,
        metadata={"task": "x"},
        tool_choice="auto",
        never_heard_of={"a": [1]},
        tools=[{"type": "function", "function": {"name": "f"}}],
        response_format={"type": "json_object"},
    )
    assert (request.model, request.stream, request.tool_choice) == ("m", True, "auto")
    assert request.messages == (Message("user", "hi"),)
    assert request.params == {"temperature": 0.2, "stop": ["\n"], "never_heard_of": {"a": [1]}}
    assert request.metadata == {"task": "x"}
    assert [tool.name for tool in request.tools.tools] == ["f"]
    assert request.output_format.kind == "json_object"


def test_absent_and_null_mean_the_default():
    nulls = dict.fromkeys(
        ("tools", "response_format", "tool_choice", "stream", "metadata", "model"), None
    )
    request = read(**nulls)
    plain = openai.parse_request(b'{"messages":[{"role":"user","content":"hi"}]}')
    assert request == plain
    assert (plain.model, plain.tools.hash, plain.output_format.hash) == ("", "", "")


@pytest.mark.parametrize(
    ("content", "text", "others"),
    [
        ("plain", "plain", ()),
        (None, "", ()),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\nb", ()),
        (["a", {"type": "input_text", "text": "b"}], "a\nb", ()),
        (
            [{"type": "image_url", "image_url": {"url": "u"}}, {"type": "text", "text": "a"}],
            "a",
            ("image_url",),
        ),
    ],
)
def test_content_is_text_null_or_parts(content, text, others):
    (message,) = read(messages=[{"role": "user", "content": content}]).messages
    assert (message.text, message.other_parts) == (text, others)


def test_tool_turns_keep_their_arguments_as_sent():
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1 }'}}
    turns = [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
    ]
    asked, told = read(messages=turns).messages
    assert asked.tool_calls == (ToolCall("f", '{"a": 1 }', "c1"),)
    assert (told.tool_call_id, told.text) == ("c1", "42")


def test_legacy_functions_are_tools():
    function = {"name": "f", "parameters": {"type": "object"}}
    legacy = read(functions=[function], function_call={"name": "f"})
    modern = read(
        tools=[{"type": "function", "function": function}],
        tool_choice={"type": "function", "function": {"name": "f"}},
    )
    assert legacy == modern
    said = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}
    assert read(messages=[said]).messages[0].tool_calls == (ToolCall("f", "{}"),)
    assert read(function_call="auto").tool_choice == "auto"


def test_arguments_sent_as_an_object_become_their_json():
    answer, _, _ = openai.parse_answer(
        completion({"tool_calls": [{"function": {"name": "f", "arguments": {"a": "é"}}}]})
    )
    assert answer.tool_calls == (ToolCall("f", '{"a":"é"}'),)


def test_reads_an_answer_with_its_usage_and_model():
    answer, usage, model = openai.parse_answer(
        completion(
            {"role": "assistant", "content": "yes", "refusal": None},
            usage={
                "prompt_tokens": 7,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 5},
            },
        )
    )
    assert answer == Answer("yes", (), None, "stop")
    assert usage == Usage(7, 2, 5)
    assert model == "m-1"


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        "many",
        {"prompt_tokens": 3},
        {"prompt_tokens": 3, "completion_tokens": None},
        {"prompt_tokens": 1.5, "completion_tokens": 2},
        {"prompt_tokens": "many", "completion_tokens": 2},
        {"prompt_tokens": -1_000_000, "completion_tokens": 2},
    ],
)
def test_odd_usage_is_unknown_and_the_answer_good(usage):
    answer, used, _ = openai.parse_answer(completion({"content": "x"}, usage=usage))
    assert (answer.text, used) == ("x", None)


def test_an_answer_may_be_parts_a_legacy_call_or_a_custom_call():
    parts = completion({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]})
    legacy = completion({"function_call": {"name": "f", "arguments": "{}"}})
    custom = completion({"tool_calls": [{"id": "1", "custom": {"name": "sql", "input": "x"}}]})
    assert openai.parse_answer(parts)[0].text == "a\nb"
    assert openai.parse_answer(legacy)[0].tool_calls == (ToolCall("f", "{}"),)
    assert openai.parse_answer(custom)[0].tool_calls == (ToolCall("sql", "x", "1"),)


def test_a_lone_message_is_an_answer():
    assert openai.answer_of(b'{"role":"assistant","content":"x"}') == Answer("x")
    with pytest.raises(InputError):
        openai.answer_of(b"[]")


DEEP = "[" * 100_000 + "]" * 100_000
NOT_REQUESTS = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"PNG\r\n",
    b'{"messages": []}',
    b'{"messages": {}}',
    b'{"messages": [1]}',
    b'{"messages": [{"content": "no role"}]}',
    b'{"messages": [{"role": "user", "content": 5}]}',
    b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
    b'{"messages": [{"role": "user", "content": "\xff"}]}',
    b'{"messages": [{"role": "user", "tool_calls": [{"id": "x"}]}]}',
    body(model=5).encode(),
    body(stream="yes").encode(),
    body(metadata=[]).encode(),
    body(tools={}).encode(),
    body(tools=[{"type": "function", "function": {}}]).encode(),
    body(response_format="json").encode(),
    body(response_format={"type": "json_schema"}).encode(),
    body(temperature=float("nan")).encode(),
    body().replace("}]", '}], "seed": 1' + "0" * 5000).encode(),
    body().replace('"hi"', DEEP).encode(),
    body(x=0).replace('"x": 0', f'"x": {DEEP}').encode(),
    body(x=0).replace('"x": 0', f'"x": {"[" * 200 + "]" * 200}').encode(),
    body(tools=0).replace('"tools": 0', f'"tools": {DEEP}').encode(),
    body(tools=0)
    .replace('"tools": 0', f'"tools": [{{"function": {{"name": "f", "parameters": {DEEP}}}}}]')
    .encode(),
]


@pytest.mark.parametrize("data", NOT_REQUESTS, ids=range(len(NOT_REQUESTS)))
def test_what_is_no_request_is_an_input_error_in_one_line(data):
    with pytest.raises(InputError) as caught:
        openai.parse_request(data)
    message = str(caught.value)
    assert "\n" not in message
    assert "chat-completions request" in message
    assert len(message) < 400


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": 1}}]}',
        b'{"choices": [{"message": {"tool_calls": [{}]}}]}',
        b'{"choices": [{"message": {"content": "\\udfff"}}]}',
        b'{"choices": ' + DEEP.encode() + b"}",
    ],
    ids=range(9),
)
def test_what_is_no_answer_is_an_input_error(data):
    with pytest.raises(InputError, match="not a chat completion"):
        openai.parse_answer(data)


def test_an_error_body_is_called_an_error():
    with pytest.raises(InputError, match="it is an error"):
        openai.parse_answer(b'{"error": {"message": "rate limit"}}')


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "tool_calls", "function", "name", "type", "schema"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
fields = st.sampled_from(
    ["model", "messages", "tools", "functions", "response_format", "metadata", "stream", "seed"]
)


@given(st.dictionaries(fields, json_values))
def test_any_json_object_is_a_request_or_an_input_error(value):
    data = json.dumps(value).encode()
    try:
        request = openai.parse_request(data)
    except InputError:
        return
    assert request.messages


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_an_input_error(data):
    with pytest.raises(InputError):
        openai.parse_answer(data)


@given(st.lists(st.text(), min_size=1, max_size=4), st.text())
def test_texts_survive_whatever_they_hold(contents, answer):
    sent = [{"role": "user", "content": content} for content in contents]
    assert [m.text for m in read(messages=sent).messages] == contents
    assert openai.parse_answer(completion({"content": answer}))[0].text == answer


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is empty"),
        (b" ", "it is empty"),
        (b'{"messages": [], "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested deeper than"),
        (b'{"messages": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "nested deeper than"),
    ],
)
def test_a_body_that_is_none_says_why_in_plain_words(body, why):
    with pytest.raises(InputError, match=why):
        openai.parse_request(body)


def file_part(text):
    data = base64.b64encode(text.encode()).decode()
    return {"type": "file", "file": {"file_data": f"data:text/plain;base64,{data}"}}


def test_a_documents_text_stands_where_its_part_stood():
    parts = [{"type": "text", "text": "Read:"}, file_part("the file"), "and answer."]
    (message,) = read(messages=[{"role": "user", "content": parts}]).messages
    assert (message.text, message.other_parts) == ("Read:\nthe file\nand answer.", ())


def test_a_document_that_can_not_be_read_is_named_with_its_reason():
    parts = [{"type": "file", "file": {"file_id": "file-1"}}, file_part("the file")]
    turns = [{"role": "user", "content": parts}, {"role": "user", "content": [file_part("more")]}]
    first, second = read(messages=turns).messages
    assert first.other_parts == ("file: it is given by its id", "file")
    # Nothing more is read once it is clear that the request goes to the teacher.
    assert (second.text, second.other_parts) == ("", ("file",))


def test_documents_are_left_alone_on_demand():
    body = json.dumps({"messages": [{"role": "user", "content": [file_part("x")]}]}).encode()
    (message,) = openai.parse_request(body, documents=False).messages
    assert (message.text, message.other_parts) == ("", ("file",))


def test_the_first_tokens_of_an_answer_are_kept_where_they_are_told():
    top = [{"token": "bill", "logprob": -0.1}, {"token": "ca", "logprob": -2.3}]
    choice = {
        "message": {"content": "billing"},
        "logprobs": {"content": [{"token": "bill", "logprob": -0.1, "top_logprobs": top}]},
    }
    answer, _, _ = openai.parse_answer(json.dumps({"choices": [choice]}).encode())
    assert [token for token, _ in answer.first_tokens] == ["bill", "ca"]
    assert answer.first_tokens[0][1] == pytest.approx(0.9048, abs=1e-3)
    for nothing in (None, {}, {"content": None}, {"content": []}, {"content": [{"token": "x"}]}):
        body = {"choices": [choice | {"logprobs": nothing}]}
        assert openai.parse_answer(json.dumps(body).encode())[0].first_tokens == ()
