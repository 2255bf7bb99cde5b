"""What a person is asked, and how a reply is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.calls import Tool
from stepdown.core.datasets import Dataset, Example, SplitReport
from stepdown.core.fingerprint import canonical_json
from stepdown.core.gold import Gold, Question
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.label.review import choices, random_questions, read_reply


def task(shape, *fields, tools=()):
    return Task(
        "t-1", "routing", Signature(), Anatomy(shape, fields, 9, 1.0, 1.0), Verdict("distil"),
        tools_json=canonical_json(tools).decode(),
    )  # fmt: skip


LABELS = task("text", Field("", "choice", values=("b", "a", "c"), distinct=3))
BILL = task(
    "json",
    Field("/kind", "choice", values=("bill", "note"), distinct=2),
    Field("/total", "derived", aligned=1.0, required=False),
)
CALLS = task("tool", Field("/tool", "choice", values=("go",), distinct=1), tools=(Tool("go"),))
ASKED_LABEL = Question("i", "x", {"": "a"})
ASKED = Question("i", "Total 7", {"/kind": "bill", "/total": 7})


@pytest.mark.parametrize(
    ("of", "question", "typed", "verdict", "record"),
    [
        (LABELS, Question("i", "x", {"": "a"}), "a\n", "accepted", {"": "a"}),
        (LABELS, Question("i", "x", {"": "a"}), "1", "accepted", {"": "a"}),
        (LABELS, Question("i", "x", {"": "a"}), "3", "corrected", {"": "c"}),
        (LABELS, Question("i", "x", {"": "a"}), ' "B" ', "corrected", {"": "b"}),
        (LABELS, Question("i", "x", {"": "a"}), "n", "none", {}),
        (LABELS, Question("i", "x", {"": "a"}), "s", "skipped", {}),
        (LABELS, Question("i", "x"), "a", "none", {}),
        (LABELS, Question("i", "x"), "2", "corrected", {"": "b"}),
        (BILL, ASKED, "2", "corrected", {"/kind": "note", "/total": 7}),
        (BILL, ASKED, "/total = null", "corrected", {"/kind": "bill", "/total": None}),
        (BILL, ASKED, '{"kind": "note"}', "corrected", {"/kind": "note"}),
        (CALLS, Question("i", "x", {"/tool": None}), "1", "corrected", {"/tool": "go"}),
        (CALLS, Question("i", "x", {"/tool": "go"}), "null", "corrected", {"/tool": None}),
        (
            CALLS,
            Question("i", "x", {"/tool": "go"}),
            '{"name": "go", "arguments": {"to": "Oslo"}}',
            "corrected",
            {"/tool": "go", "/go/to": "Oslo"},
        ),
    ],
)
def test_a_reply_is_a_key_a_number_json_or_a_field(of, question, typed, verdict, record):
    reading = read_reply(of, question, typed)
    assert reading.fault == ""
    assert (reading.gold.verdict, reading.gold.record) == (verdict, record)
    assert (reading.gold.item, reading.gold.said) == ("i", question.said)


@pytest.mark.parametrize(
    ("of", "typed"),
    [(LABELS, "0"), (LABELS, "4"), (LABELS, "yes"), (LABELS, "[1]"), (LABELS, ""), (BILL, "{"),
     (BILL, '{"total": 7}'), (BILL, "/totl = 1"), (BILL, '{"kind": "note", "totl": 1}'),
     (BILL, '/ = 1'), (BILL, "/kind/of = 1"), (CALLS, "/go/too = 1"),
     (CALLS, '"go"'), (CALLS, '{"name": "stop"}')],
)  # fmt: skip
def test_what_can_not_be_read_is_no_gold(of, typed):
    reading = read_reply(of, ASKED, typed)
    assert reading.gold is None
    assert reading.fault


def test_a_field_that_the_task_has_not_is_told_with_those_it_has():
    said = "/totl is no field of this task; its fields are /kind, /total."
    assert read_reply(BILL, ASKED, "/totl = 1").fault == said
    assert "typed in quotes" in read_reply(LABELS, ASKED_LABEL, "/x = 1").fault


def test_fields_of_a_tool_and_of_one_answer_can_be_set():
    schema = {"type": "object", "properties": {"to": {"type": "string"}}}
    tool = task(
        "tool",
        Field("/tool", "choice", values=("go",), distinct=1),
        tools=(Tool("go", "", schema),),
    )
    asked = Question("i", "x", {"/tool": "go", "/go/by": "bus"})
    for typed, record in (
        ('/go/to = "Oslo"', {"/tool": "go", "/go/by": "bus", "/go/to": "Oslo"}),
        ('/go/by = "car"', {"/tool": "go", "/go/by": "car"}),
    ):
        assert read_reply(tool, asked, typed).gold.record == record


def test_an_object_set_to_null_has_no_fields_left():
    of = task(
        "json", Field("/to", "derived", required=False), Field("/to/city", "copy", required=False)
    )
    asked = Question("i", "x", {"/to/city": "Oslo"})
    assert read_reply(of, asked, "/to = null").gold.record == {"/to": None}
    back = Question("i", "x", {"/to": None})
    assert read_reply(of, back, '/to = {"city": "Rome"}').gold.record == {"/to/city": "Rome"}


def test_a_label_that_no_answer_had_is_kept_and_said():
    reading = read_reply(LABELS, Question("i", "x", {"": "a"}), '"new"')
    assert reading.gold.record == {"": "new"}
    assert "none of its values" in reading.fault


@given(st.text())
def test_any_reply_is_gold_or_a_fault(typed):
    for of in (LABELS, BILL, CALLS):
        reading = read_reply(of, ASKED, typed)
        assert reading.gold or reading.fault


def test_numbers_are_for_the_only_choice():
    assert choices(LABELS) == ("", ["a", "b", "c"])
    two = task("json", Field("/a", "choice", values=(1,)), Field("/b", "choice", values=(2,)))
    assert choices(two) == ("", [])


def dataset(test, calibration):
    rows = [
        Example(f"{part}{at}", (Segment("user", "x"),), {"": "a"}, split=part)
        for part, count in (("test", test), ("calibration", calibration), ("train", 50))
        for at in range(count)
    ]
    return Dataset("d", "t-1", tuple(rows), SplitReport(50, calibration, test))


def test_the_draw_goes_on_where_it_ended_and_a_skipped_row_comes_again():
    data = dataset(30, 40)
    first = random_questions(data, {}, 10)
    assert {q.item[:4] for q in first} == {"test"}
    assert all(q.probability == pytest.approx(10 / 30) for q in first)
    gold = {q.item: Gold(q.item, "accepted") for q in first}
    gold[first[3].item] = Gold(first[3].item, "skipped")
    more = random_questions(data, gold, 25)
    assert more[0].item == first[3].item
    assert not {q.item for q in more[1:]} & {q.item for q in first}
    assert [q.probability for q in more if q.item.startswith("cal")] == [pytest.approx(4 / 40)] * 4
    assert len(random_questions(data, {}, 1_000)) == 70


def test_every_row_is_as_likely_to_be_drawn():
    drawn = [q.item for at in range(400) for q in _some(at)]
    assert abs(sum(item.endswith("-0") for item in drawn) - 200) < 60


def _some(seed):
    rows = [Example(f"s{seed}-{at}", (), {"": "a"}, split="test") for at in range(4)]
    return random_questions(Dataset("d", "t-1", tuple(rows), SplitReport(0, 0, 4)), {}, 2)
