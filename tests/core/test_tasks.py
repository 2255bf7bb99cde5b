"""Recognising a request's task: exact on hashes, by template on the texts."""

from stepdown.core.anatomy import Anatomy
from stepdown.core.calls import Message, OutputFormat, Request, ToolCall, Toolset
from stepdown.core.tasks import (
    Segment,
    Signature,
    Task,
    TaskIndex,
    Verdict,
    input_text,
    texts,
)
from stepdown.core.templates import Template


def task(name, hint=None, **signature):
    nothing = Anatomy("text", (), 0, 0, 0)
    return Task(f"t-{name}", name, Signature(**signature), nothing, Verdict("distil"), hint=hint)


def request(*messages, **fields):
    return Request("m", tuple(Message(role, text) for role, text in messages), **fields)


def test_texts_are_system_history_and_last_message():
    asked = Request(
        "m",
        (
            Message("system", "Be brief."),
            Message("developer", "Really."),
            Message("user", "hi"),
            Message("assistant", "", tool_calls=(ToolCall("look", "{}"),)),
            Message("tool", "found"),
            Message("user", "thanks"),
        ),
    )
    assert texts(asked) == (
        "Be brief.\nReally.",
        "user: hi\nassistant: look({})\ntool: found",
        "thanks",
    )
    assert texts(request(("system", "alone"))) == ("alone", "", "")
    assert texts(Request("m", ())) == ("", "", "")


def test_the_input_is_what_stands_in_the_holes():
    signature = Signature(
        system=Template(("Today is ", ".")), history=Template(("",)), user=Template(("Q: ", ""))
    )
    found = signature.match("Today is Monday.", "", "Q: why?")
    assert found == (Segment("system", "Monday"), Segment("user", "why?"))
    assert input_text(found) == "Monday\nwhy?"
    assert signature.match("Today is Monday.", "user: x", "Q: why?") is None


def test_the_most_specific_task_wins_and_constant_system_texts_are_looked_up():
    broad = task("broad")
    french = task("french", system=Template(("Answer in French.",)))
    prefix = task("prefix", user=Template(("Translate: ", "")))
    index = TaskIndex([broad, french, prefix])
    assert index.recognise(request(("user", "hello")))[0] is broad
    assert index.recognise(request(("system", "Answer in French."), ("user", "x")))[0] is french
    assert index.recognise(request(("system", "Else"), ("user", "Translate: x")))[0] is prefix
    assert [t.name for t in index.tasks()] == ["broad", "french", "prefix"]


def test_tools_and_output_format_are_exact():
    index = TaskIndex([task("tools", tools="aa"), task("schema", output_format="bb")])
    assert index.recognise(request(("user", "x"), tools=Toolset(hash="aa")))[0].name == "tools"
    shaped = request(("user", "x"), output_format=OutputFormat(hash="bb"))
    assert index.recognise(shaped)[0].name == "schema"
    assert index.recognise(request(("user", "x"))) is None
    assert index.recognise(request(("user", "x"), tools=Toolset(hash="other"))) is None


def test_a_hint_names_the_task_and_a_tie_without_one_is_no_match():
    one, two = task("one", hint="team-a"), task("two", hint="team-b")
    index = TaskIndex([one, two])
    asked = request(("user", "x"))
    assert index.recognise(asked) is None
    assert index.recognise(asked, "team-b")[0] is two
    assert index.recognise(asked, "t-one")[0] is one
    assert index.recognise(asked, "nobody") is None
    other = request(("user", "x"), tools=Toolset(hash="aa"))
    assert index.recognise(other, "one") is None
