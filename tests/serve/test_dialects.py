"""Messages and responses with the official clients on real sockets: answered, relayed, broken."""

import json
from typing import Any

import anthropic
import msgspec
import openai
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.conftest import SYSTEM

from stepdown.core.calls import Answer, ToolCall
from stepdown.errors import InputError
from stepdown.serve.dialects import CHAT, MESSAGES, RESPONSES, dialect_of, meant
from stepdown.wire.openai_streams import Assembled
from stepdown.wire.told import told

BOOK: Any = {"name": "book", "description": "Book a trip.", "input_schema": {"type": "object"}}
BOOK_CHAT: Any = {
    "type": "function",
    "function": {"name": "book", "description": "Book a trip.", "parameters": {"type": "object"}},
}
BOOK_FLAT: Any = {"type": "function", **BOOK_CHAT["function"]}


def ask_messages(user="hello", **more) -> Any:
    said = [{"role": "user", "content": user}]
    return {"model": "claude-x", "max_tokens": 64, "system": SYSTEM, "messages": said, **more}


def ask_responses(user="hello", **more) -> Any:
    return {"model": "gpt-4o", "instructions": SYSTEM, "input": user, **more}


@pytest.fixture
def claude(start):
    """The official Anthropic client at a running gateway."""
    made = []

    def go(**settings):
        client = anthropic.Anthropic(base_url=start(**settings), api_key="k", max_retries=0)
        made.append(client)
        return client

    yield go
    for client in made:
        client.close()


@pytest.fixture
def gpt(start):
    made = []

    def go(**settings):
        url = start(**settings)
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="k", max_retries=0)
        made.append(client)
        return client

    yield go
    for client in made:
        client.close()


@pytest.fixture
def trip(world, body):
    """A second task, that calls a tool; the student knows one trip."""
    world.tasks.append(world.make_task("travel", body("", system="Book.", tools=[BOOK_CHAT])))
    call = ToolCall("book", '{"city":"Paris"}')
    world.student.known["Paris"] = (Answer(None, (call,)), 0.9)


def test_each_path_has_its_dialect():
    assert dialect_of("/v1/messages") is dialect_of("/v1/messages/count_tokens") is MESSAGES
    assert dialect_of("/v1/responses") is RESPONSES
    assert dialect_of("/v1/chat/completions") is dialect_of("/v1/embeddings") is CHAT


def test_a_student_answers_messages(claude, world):
    client = claude()
    reply = client.messages.with_raw_response.create(**ask_messages())
    assert reply.headers["x-stepdown-decision"] == "answered"
    found = reply.parse()
    assert (found.content[0].text, found.stop_reason, found.model) == (
        "greet",
        "end_turn",
        "claude-x",
    )
    assert found.id.startswith("msg_")
    assert found.usage.input_tokens > 0
    with client.messages.stream(**ask_messages()) as stream:
        assert "".join(stream.text_stream) == "greet"
        assert stream.get_final_message().usage.output_tokens > 0
    blocks = [{"type": "text", "text": "hello", "cache_control": {"type": "ephemeral"}}]
    assert client.messages.create(**ask_messages(blocks)).content[0].text == "greet"
    assert world.upstream.seen == []
    lines = world.lines()
    assert len(lines) == 3
    assert lines[0]["request"]["messages"][0] == {"role": "system", "content": SYSTEM}
    assert lines[0]["response"]["choices"][0]["message"]["content"] == "greet"


def test_a_student_calls_tools_in_messages(claude, trip):
    asked = ask_messages("Paris", system="Book.", tools=[BOOK])
    client = claude()
    found = client.messages.create(**asked)
    assert found.stop_reason == "tool_use"
    assert (found.content[0].name, found.content[0].input) == ("book", {"city": "Paris"})
    with client.messages.stream(**asked) as stream:
        last = stream.get_final_message()
    assert last.content[0].input == {"city": "Paris"}


def test_messages_that_the_student_leaves_go_upstream_unchanged(claude, world):
    client = claude()
    reply = client.messages.with_raw_response.create(**ask_messages("hm", extra_body={"top_k": 7}))
    assert reply.parse().content[0].text == "from up there"
    assert reply.headers["x-stepdown-model"] == "claude-x-2026"
    _, path, headers, sent = world.upstream.seen[0]
    assert path == "/v1/messages"
    assert json.loads(sent)["top_k"] == 7
    assert headers["Authorization"] == "Bearer k"
    assert headers["anthropic-version"]
    with client.messages.stream(**ask_messages("hm")) as stream:
        assert "".join(stream.text_stream) == "from up there "
    for line in world.lines():
        assert line["response"]["usage"]["prompt_tokens"] == 5
        assert line["response"]["choices"][0]["message"]["content"].strip() == "from up there"
        assert line["request"]["messages"][1]["content"] == "hm"


def test_a_configured_key_goes_where_messages_servers_look(claude, world):
    claude(api_key="sk-ours").messages.create(**ask_messages("hm"))
    headers = world.upstream.seen[0][2]
    assert headers["x-api-key"] == "sk-ours"
    assert "Authorization" not in headers


def test_messages_errors_have_anthropics_shape(claude, ask):
    client = claude(base_url=None)
    with pytest.raises(anthropic.APIStatusError) as caught:
        client.messages.create(**ask_messages("hm"))
    assert caught.value.status_code == 503
    body: Any = caught.value.body
    assert body["type"] == "error"
    reply = ask("POST", "/v1/messages", {"model": "m", "messages": "?"})
    assert (reply.status, reply.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "max_tokens" in reply.json()["error"]["message"]


@pytest.mark.parametrize("at", [1, 4, 7])
def test_r4_a_broken_stream_of_messages_is_told(claude, world, at):
    world.upstream.breaks_at = at
    client = claude()
    with (
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(**ask_messages("hm")) as stream,
    ):
        stream.get_final_message()
    (line,) = world.lines()
    assert line["response"] is None
    assert "broke off" in line["error"]["message"]


def test_counting_tokens_is_relayed(claude, world):
    found = claude().messages.with_raw_response.count_tokens(
        model="claude-x", messages=[{"role": "user", "content": "hello"}]
    )
    assert found.headers["x-stepdown-decision"] == "relayed"
    assert world.upstream.seen[0][1] == "/v1/messages/count_tokens"


def test_a_student_answers_responses(gpt, world):
    client = gpt()
    reply = client.responses.with_raw_response.create(**ask_responses(temperature=0.5))
    assert reply.headers["x-stepdown-decision"] == "answered"
    found = reply.parse()
    assert (found.output_text, found.status, found.model) == ("greet", "completed", "gpt-4o")
    assert (found.temperature, found.store) == (0.5, False)
    assert found.usage.total_tokens > 1
    with client.responses.stream(**ask_responses()) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == "greet"
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    items = [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}]
    assert client.responses.create(**ask_responses(items)).output_text == "greet"
    assert world.upstream.seen == []
    assert len(world.lines()) == 3


def test_a_student_calls_tools_in_responses(gpt, trip):
    asked = ask_responses("Paris", instructions="Book.", tools=[BOOK_FLAT])
    client = gpt()
    (call,) = client.responses.create(**asked).output
    assert (call.type, call.name, call.arguments) == ("function_call", "book", '{"city":"Paris"}')
    with client.responses.stream(**asked) as stream:
        (streamed,) = stream.get_final_response().output
    assert streamed.arguments == '{"city":"Paris"}'


def test_responses_that_the_student_leaves_go_upstream(gpt, world):
    client = gpt()
    assert client.responses.create(**ask_responses("hm")).output_text == "from up there"
    with client.responses.stream(**ask_responses("hm")) as stream:
        assert stream.get_final_response().output_text == "from up there "
    for line in world.lines():
        assert line["response"]["choices"][0]["message"]["content"].strip() == "from up there"


@pytest.mark.parametrize(
    "field",
    [
        {"store": True},
        {"previous_response_id": "resp_1"},
        {"background": True},
        {"reasoning": {"summary": "auto"}},
        {"include": ["reasoning.encrypted_content"]},
    ],
)
def test_c4_what_no_student_can_honour_in_responses_goes_upstream(gpt, field):
    reply = gpt().responses.with_raw_response.create(**ask_responses(**field))
    assert reply.headers["x-stepdown-reason"] == "unsupported_param"


@pytest.mark.parametrize("more", [{}, {"input": []}, {"stream": False}])
@pytest.mark.parametrize("field", ["prompt", "conversation", "previous_response_id"])
def test_c4_what_is_stored_at_the_provider_is_asked_there(start, world, ask, field, more):
    start()
    sent = json.dumps(
        {"model": "gpt-4o", "instructions": SYSTEM, field: "kept_1", **more}, indent=3
    )
    for hint in ({}, {"x-stepdown-task": "intents"}):
        reply = ask("POST", "/v1/responses", sent.encode(), hint)
        assert (reply.status, reply.headers["x-stepdown-tier"]) == (200, "frontier")
        assert world.upstream.seen[-1][3] == sent.encode()
    assert ask("POST", "/v1/route", sent.encode()).json()["decision"] != "answered"
    assert world.student.asked == 0


@pytest.mark.parametrize("at", [1, 4])
def test_r4_a_broken_stream_of_responses_is_told(gpt, world, at):
    world.upstream.breaks_at = at
    with pytest.raises(openai.APIError):
        list(gpt().responses.create(**ask_responses("hm"), stream=True))
    (line,) = world.lines()
    assert line["response"] is None


class Label(pydantic.BaseModel):
    label: str


def test_parsed_answers_are_one_contract_in_all_three(gpt, world, body):
    with openai.OpenAI(base_url=world.upstream.url, api_key="k") as probe:
        world.upstream.words = ['{"label":', '"up"}']
        probe.chat.completions.parse(**body("x"), response_format=Label)
    sent = json.loads(world.upstream.seen.pop()[3])
    world.tasks = [world.make_task("labels", sent)]
    world.student.known["hello"] = (Answer('{"label": "greet"}'), 0.9)
    client = gpt()
    found = client.responses.parse(**ask_responses(), text_format=Label)
    assert found.output_parsed == Label(label="greet")
    claude = anthropic.Anthropic(base_url=world.url, api_key="k", max_retries=0)
    with claude:
        schema = sent["response_format"]["json_schema"]["schema"]
        wanted: Any = {"format": {"type": "json_schema", "schema": schema}}
        reply = claude.messages.with_raw_response.create(**ask_messages(output_config=wanted))
    assert reply.headers["x-stepdown-decision"] == "answered"
    assert reply.parse().content[0].text == '{"label": "greet"}'


MEANT = [
    ({"model": "m", "messages": []}, "", CHAT),
    ({"model": "m", "messages": [], "system": "s"}, "", MESSAGES),
    ({"model": "m", "messages": [], "tools": [{"name": "f", "input_schema": {}}]}, "", MESSAGES),
    ({"model": "m", "messages": []}, "x=1&api=messages", MESSAGES),
    ({"model": "m", "input": "x"}, "", RESPONSES),
    ({"model": "m", "messages": []}, "api=responses", RESPONSES),
    ({"model": "m"}, "", CHAT),
]


@pytest.mark.parametrize(("fields", "query", "dialect"), MEANT)
def test_what_a_body_is_meant_as(fields, query, dialect):
    assert meant(json.dumps(fields).encode(), query) is dialect
    with pytest.raises(InputError, match="chat, messages or responses"):
        meant(b"{}", "api=soap")


def test_route_takes_every_dialect(start, world, ask, body):
    start()
    (system, user) = body()["messages"]
    asked = {"model": "claude-9", "max_tokens": 50, "messages": [user]}
    for path, value in (
        ("/v1/route", {**asked, "system": system["content"]}),
        ("/v1/route?api=messages", {**asked, "system": system["content"]}),
        ("/v1/route", {"model": "m", "instructions": system["content"], "input": user["content"]}),
        ("/v1/route", body()),
    ):
        told = ask("POST", path, value).json()
        assert (told["decision"], told["task_name"]) == ("answered", "intents"), path
    assert ask("POST", "/v1/route?api=soap", body()).status == 400
    assert world.upstream.seen == []


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", "text", "message"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "text",
                    "content",
                    "usage",
                    "output",
                    "error",
                    "name",
                    "id",
                    "index",
                    "status",
                    "arguments",
                    "stop_reason",
                    "choices",
                    "delta",
                    "tool_calls",
                    "function",
                    "input_tokens",
                    "output_tokens",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
KINDS = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "message_delta",
    "message_stop",
    "error",
    "response.completed",
    "response.failed",
    "response.incomplete",
]
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(KINDS),
        **dict.fromkeys(
            [
                "message",
                "response",
                "delta",
                "content_block",
                "usage",
                "index",
                "choices",
                "error",
                "id",
            ],
            ODD,
        ),
    },
)


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES, RESPONSES])
@given(events=st.lists(EVENTS, max_size=5))
def test_s15_any_frames_add_up_to_something(dialect, events):
    start = {"type": "message_start", "message": {}}
    sent = [json.dumps(event).encode() for event in (start, *events)]
    for frames in (sent, sent[1:], [*sent, b"[DONE]"], [*sent, b"{", b"\xff"]):
        found = dialect.summed(frames)
        assert found.completion is None or isinstance(found.completion, dict)
        if found.completion is not None:
            told(msgspec.json.encode(found.completion))


BROKEN = {
    MESSAGES: [b'{"type":"message_start","message":{"usage":[1]}}', b'{"type":"message_stop"}'],
    RESPONSES: [b'{"type":"response.completed","response":{"output":[{"type":"message"}]}}'],
}


@pytest.mark.parametrize("dialect", BROKEN, ids=lambda dialect: dialect.path)
def test_r5_nonsense_is_an_error_where_it_ends_and_broken_off_where_it_does_not(dialect):
    frames = BROKEN[dialect]
    if dialect is MESSAGES:
        frames = [frames[0], b'{"type":"content_block_start","content_block":"x"}', frames[1]]
    found = dialect.summed(frames)
    assert (found.completion, found.finished) == (None, False)
    assert "unreadable" in found.error
    if len(frames) > 1:
        assert dialect.summed(frames[:-1]) == Assembled(None, False)
