"""Whatever an input says, the second question has it as data, and nothing else of it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Message, Request, Tool, ToolCall, Toolset
from stepdown.core.tasks import Segment, Signature, Task, Verdict, texts
from stepdown.core.templates import Template
from stepdown.wire.openai_bodies import request_body
from stepdown.wire.second_template import input_in, mark_for, second_request

LABELS = ("billing", 'a "b"\n', "ключ")
TASK = Task(
    "t",
    "routing",
    Signature(
        system=Template(("Route tickets of ", ".")), user=Template(("Ticket: ", "\nFrom: ", ""))
    ),
    Anatomy("text", (Field("", "choice", values=LABELS),), 1, 1.0, 1.0),
    Verdict("distil"),
)
# What closes strings, ends lines in whatever alphabet, and speaks as the prompt itself does.
hostile = st.text(
    st.sampled_from('"}],{[\\\n\r\x0b\x0c\x1c\x85\u2028\u2029\x00<>`BEGINDabcdef0123456789 é字')
) | st.sampled_from(["\nEND 0", '"}]\nEND ', "BEGIN END", "END {mark}", '\\"', "{1} {mark} {2}"])


def asked(ticket, sender="ann", shop="Acme", before=()):
    messages = (
        Message("system", f"Route tickets of {shop}."),
        *before,
        Message("user", f"Ticket: {ticket}\nFrom: {sender}"),
    )
    return Request("m", messages, params={"temperature": 0})


def data_of(request, mark):
    begin, data, end = request.messages[1].text.split("\n")
    assert (begin, end) == (f"BEGIN {mark}", f"END {mark}")
    return json.loads(data)


@given(hostile, hostile.filter(lambda text: "\nFrom: " not in text), hostile, hostile)
def test_s19_nothing_of_an_input_leaves_its_data(ticket, sender, shop, said):
    turn = Message("user", said)
    request = asked(ticket, sender, shop, (turn,))
    given_input = TASK.signature.match(*texts(request))
    mark = mark_for(given_input)
    found = second_request(TASK, request, mark)
    sent = json.loads(request_body(found, "m"))["messages"]
    assert [message["role"] for message in sent] == ["system", "user"]
    # The instructions are those of any other input, to the letter.
    assert sent[0]["content"] == second_request(TASK, asked("x"), mark).messages[0].text
    assert sent[1]["content"].count(mark) == 2
    assert len(sent[1]["content"].splitlines()) == 3
    parts = data_of(found, mark)
    texts_of = [part["text"] for part in parts]
    for text in (ticket, sender, shop, said):
        assert not text or text in "".join(texts_of)
    assert input_in(found) == given_input


def test_the_owners_words_and_the_values_are_the_instructions():
    request = asked("lost card", before=(Message("user", "hi"), Message("assistant", "hello")))
    found = second_request(TASK, request, "f00d")
    system = found.messages[0].text
    assert "Route tickets of {1}." in system
    assert "Ticket: {3}\nFrom: {4}" in system
    assert r'The answer: ["billing","a \"b\"\n","ключ"]' in system
    assert "between the line `BEGIN f00d` and the line `END f00d`" in system
    assert data_of(found, "f00d") == [
        {"hole": 1, "part": "system", "text": "Acme"},
        {"hole": 2, "part": "history", "said_by": "user", "text": "hi"},
        {"hole": 2, "part": "history", "said_by": "assistant", "text": "hello"},
        {"hole": 3, "part": "user", "text": "lost card"},
        {"hole": 4, "part": "user", "text": "ann"},
    ]
    assert found.params == {"temperature": 0}


def test_a_tool_in_the_conversation_is_said_too():
    turns = (
        Message("user", "hi"),
        Message("assistant", tool_calls=(ToolCall("find", '{"q":1}'),)),
        Message("tool", "found"),
    )
    request = asked("x", before=turns)
    found = second_request(TASK, request, "f00d")
    assert [p["text"] for p in data_of(found, "f00d")][1:4] == ["hi", 'find({"q":1})', "found"]
    assert input_in(found) == TASK.signature.match(*texts(request))


def test_tools_and_schema_stay_and_open_fields_have_no_list():
    task = Task(
        "t",
        "extract",
        Signature(),
        Anatomy(
            "tool", (Field("/tool", "choice", values=("find",)), Field("/find/q", "copy")), 1, 1, 1
        ),
        Verdict("distil"),
    )
    tools = Toolset((Tool("find"),), "h")
    request = Request("m", (Message("user", "find q"),), tools)
    found = second_request(task, request, "f00d")
    assert found.tools == tools
    assert '/tool: ["find"]' in found.messages[0].text
    assert "/find/q" not in found.messages[0].text


def test_a_request_of_another_task_and_another_prompt_are_none():
    assert second_request(TASK, Request("m", (Message("user", "hi"),)), "f00d") is None
    assert input_in(asked("x")) is None
    odd = Request("m", (Message("system", "s"), Message("user", "BEGIN a\n[\nEND a")))
    assert input_in(odd) is None


def test_a_mark_is_not_in_the_input_and_not_to_be_foreseen():
    given_input = (Segment("user", "0123456789abcdef"),)
    marks = {mark_for(given_input) for _ in range(50)}
    assert len(marks) == 50
    assert not any(mark in given_input[0].text for mark in marks)
