"""What an answer is worth: taken as it is, or not at all, and then with its reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Answer, Call, OutputFormat, Request, Tool, ToolCall
from stepdown.core.fingerprint import canonical_json
from stepdown.core.records import read_answer, same_record
from stepdown.core.tasks import Signature, Task, Verdict
from stepdown.label.outcomes import judge_of, refuses, widened


def task(shape, *fields, tools=(), schema=None):
    output = OutputFormat("json_schema", schema) if schema else None
    return Task(
        "t-1",
        "routing",
        Signature(),
        Anatomy(shape, fields, 100, 1.0, 1.0),
        Verdict("distil"),
        tools_json=canonical_json(tools).decode(),
        output_format_json=canonical_json(output).decode(),
    )


LABELS = task("text", Field("", "choice", values=("Cards", "loans"), distinct=2))
SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["bill", "note"]}, "total": {"type": "number"}},
    "required": ["kind"],
    "additionalProperties": False,
}
BILL = task(
    "json",
    Field("/kind", "choice", values=("bill", "note"), distinct=2),
    Field("/total", "derived", present=0.9, aligned=0.99, required=False),
    schema=SCHEMA,
)
WEATHER = Tool("weather", parameters={"type": "object", "required": ["city"]})
TOOLS = task("tool", Field("/tool", "choice", values=("weather",), distinct=1), tools=(WEATHER,))


@pytest.mark.parametrize(
    ("answer", "outcome", "record"),
    [
        (Answer("Cards"), "answered", {"": "Cards"}),
        (Answer(" cards \n"), "answered", {"": "Cards"}),
        (Answer("LOANS"), "answered", {"": "loans"}),
        (Answer("Cards."), "other_label", {}),
        (Answer("travel"), "other_label", {}),
        (Answer("<html><body>502 Bad Gateway</body></html>"), "other_label", {}),
        (Answer("Cards", finish_reason="length"), "unreadable", {}),
        (Answer("Cards", finish_reason="content_filter"), "refused", {}),
        (Answer(refusal="No."), "refused", {}),
        (Answer("I'm sorry, but I can't help with that."), "refused", {}),
        (Answer("I\u2019m sorry, I cannot classify this."), "refused", {}),
        (Answer(""), "unreadable", {}),
        (Answer(), "unreadable", {}),
        (Answer("x", tool_calls=(ToolCall("f", "{}"),)), "unreadable", {}),
    ],
)
def test_a_label_is_one_of_its_set_or_none(answer, outcome, record):
    worth = judge_of(LABELS)("where is my card", answer)
    assert (worth.outcome, worth.record) == (outcome, record)
    assert bool(worth.why) == (outcome != "answered")


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ('{"kind": "bill", "total": 12.5}', "answered"),
        ('```json\n{"kind": "Bill", "total": null}\n```', "off_schema"),
        ('{"kind": "note"}', "answered"),
        ('{"total": 12.5}', "off_schema"),
        ('{"kind": "bill", "total": 99}', "ungrounded"),
        ('{"kind": "bill", "extra": 1}', "off_schema"),
        ('["bill"]', "off_schema"),
        ('{"kind": "bill"', "unreadable"),
        ("As an AI language model I do not read bills.", "refused"),
        ("Sure! The bill says 12.50.", "unreadable"),
    ],
)
def test_an_object_keeps_its_schema_and_stands_in_its_input(text, outcome):
    assert judge_of(BILL)("Total due: 12.50", Answer(text)).outcome == outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(tool_calls=(ToolCall("weather", '{"city": "Oslo"}'),)), "answered"),
        (Answer(tool_calls=(ToolCall("weather", "{}"),)), "off_schema"),
        (Answer(tool_calls=(ToolCall("weather", '{"city"'),)), "unreadable"),
        (Answer(tool_calls=(ToolCall("delete_all", "{}"),)), "off_schema"),
        # Beside tools an apology is the answer "none of them".
        (Answer("I'm sorry, I can't do that."), "answered"),
    ],
)
def test_a_call_names_a_tool_that_there_is_and_fits_it(answer, outcome):
    assert judge_of(TOOLS)("weather in Oslo", answer).outcome == outcome


def test_a_field_that_often_stands_elsewhere_need_not_be_in_the_input():
    loose = task("json", Field("/city", "copy", aligned=0.8))
    tight = task("json", Field("/city", "copy", aligned=0.95))
    answer = Answer('{"city": "Paris"}')
    assert judge_of(loose)("to the capital of France", answer).outcome == "answered"
    assert judge_of(tight)("to the capital of France", answer).outcome == "ungrounded"


def test_items_of_a_list_are_looked_at_one_by_one():
    many = task(
        "json",
        Field("/tags", "choice", values=("a", "b"), distinct=2, many=True),
        Field("/names", "copy", aligned=1.0, many=True, required=False),
    )
    judge = judge_of(many)
    assert judge("Ann and Bo", Answer('{"tags": ["A"], "names": ["Bo"]}')).record == {
        "/tags": ["a"],
        "/names": ["Bo"],
    }
    assert judge("Ann", Answer('{"tags": ["c"]}')).outcome == "other_label"
    assert judge("Ann", Answer('{"tags": [], "names": ["Ann", "Bo"]}')).outcome == "ungrounded"


def test_a_rare_label_of_the_log_is_none_of_another():
    def logged(answer, tier=""):
        return Call("c", Request("m", ()), Answer(answer), "m", tier=tier)

    answers = ["travel", "Travel ", "typo", "CARDS"]
    calls = [*map(logged, answers), logged("ours", "small"), logged("ours", "small")]
    wide = widened(LABELS, calls)
    judge = judge_of(wide)
    assert judge("", Answer("TRAVEL")).record == {"": "travel"}
    assert judge("", Answer("cards")).record == {"": "Cards"}
    assert judge("", Answer("typo")).outcome == "other_label"
    assert judge("", Answer("ours")).outcome == "other_label"
    assert wide.anatomy.fields[0].values == ("Cards", "loans", "travel")
    assert widened(wide, calls) == wide


def test_prose_may_say_sorry_and_more_values_than_are_kept_close_no_set():
    prose = task("text", Field("", "free"))
    assert judge_of(prose)("", Answer("I'm sorry, I can't find it.")).outcome == "answered"
    wide = task("text", Field("", "choice", values=("a",), distinct=1_200))
    assert judge_of(wide)("", Answer("b")).outcome == "answered"


def test_a_schema_that_can_not_be_compiled_or_fetched_holds_nobody():
    for schema in ({"type": 5}, {"$ref": "http://127.0.0.1:1/x.json"}):
        judge = judge_of(task("json", Field("/a", "free"), schema=schema))
        assert judge("", Answer('{"a": 1}')).outcome == "answered"


@given(st.text(), st.sampled_from(["stop", "length", "content_filter", None]))
def test_no_label_is_invented(text, reason):
    worth = judge_of(LABELS)("input", Answer(text, finish_reason=reason))
    said = read_answer(Answer(text), "text") or {"": ""}
    if worth.outcome == "answered":
        assert worth.record[""] in ("Cards", "loans")
        assert worth.record[""].casefold() == said[""].casefold()
    else:
        assert worth.record == {}


@given(
    st.dictionaries(
        st.sampled_from(["kind", "total", "x"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just("bill"),
    )
)
def test_an_answer_that_is_taken_is_the_one_that_was_read(value):
    answer = Answer(canonical_json(value).decode())
    worth = judge_of(BILL)("1 2 3", answer)
    if worth.outcome == "answered":
        assert same_record(worth.record, read_answer(answer, "json"))


def test_labels_are_not_taken_for_refusals():
    assert not refuses("sorry_i_was_late")
    assert not refuses("cannot_pay")
    assert not refuses("Unfortunately the card is blocked")
    assert refuses("Unfortunately, I cannot assist with this request.")
    assert refuses("Es tut mir leid, dabei kann ich nicht helfen.")
