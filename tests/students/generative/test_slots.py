"""Answers as lines and back: every record has one text, options are what training saw."""

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment, Signature, Task, Verdict
from stepdown.students.generative.slots import form_of, instruction, target_of, text_of

from .conftest import TICKET_TASK, TOPIC_TASK, tickets, topics


def test_a_label_is_its_own_text():
    form = form_of(TOPIC_TASK, topics(40))
    assert set(form.scopes[""][0].options) == {"cards", "loans", "travel"}
    assert target_of(form, {"": "cards"}) == "cards"
    assert "cards" in instruction(form)


def test_an_object_is_one_line_a_field_in_order():
    form = form_of(TICKET_TASK, tickets(40))
    record = {"/note": 'say "é"', "/topic": "loans"}
    assert target_of(form, record) == '/topic: "loans"\n/note: "say \\"é\\""\n'
    assert [bool(slot.options) for slot in form.scopes[""]] == [True, False]


def calls():
    rows = []
    for at in range(40):
        name = ("book", "cancel", None)[at % 3]
        record = {"/tool": name}
        if name == "book":
            record |= {"/book/city": "rome", "/book/when": f"day {at}"}
        rows.append(Example(str(at), (Segment("user", f"x {at}"),), record))
    return rows


CALL_FIELDS = (
    Field("/tool", "choice", values=("book", "cancel"), distinct=3, count=40),
    Field("/book/city", "choice", values=("rome",), distinct=1, count=14),
    Field("/book/when", "free", distinct=14, count=14),
)
CALLS = Task("t", "c", Signature(), Anatomy("tool", CALL_FIELDS, 40, 1, 1), Verdict("distil"))


def test_a_tool_call_is_the_tool_and_its_arguments():
    form = form_of(CALLS, calls())
    assert set(form.scopes[""][0].options) == {"book", "cancel", None}
    record = {"/tool": "book", "/book/city": "rome", "/book/when": "day 3"}
    assert target_of(form, record) == 'tool: "book"\n/book/city: "rome"\n/book/when: "day 3"\n'
    assert target_of(form, {"/tool": None}) == "tool: null\n"
    assert target_of(form, {"/tool": "other"}) is None
    assert "book(city, when)" in instruction(form)


def test_null_stands_for_what_was_commoner():
    rows = tickets(40)
    for row in rows[:10]:
        del row.record["/topic"]
    form = form_of(TICKET_TASK, rows)
    assert form.blanks == {"/topic": "absent"}
    assert None in form.scopes[""][0].options
    assert text_of(form.scopes[""][0], None) == " null\n"


def test_several_calls_are_a_list_on_one_line():
    pair = [{"name": "book", "arguments": {"city": "rome"}}, {"name": "cancel", "arguments": {}}]
    rows = [*calls(), *(Example(f"s{at}", (), {"/calls": pair}) for at in range(5))]
    form = form_of(CALLS, rows)
    assert "*" in form.scopes[""][0].options
    text = target_of(form, {"/calls": pair})
    assert text is not None
    assert text.startswith('tool: "*"\ncalls: [{"name":"book"')
