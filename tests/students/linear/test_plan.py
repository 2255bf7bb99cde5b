"""Plans: the method of each field, and the tasks that this family has to refuse."""

import msgspec
import pytest

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.datasets import Example
from stepdown.core.tasks import Segment
from stepdown.errors import NotEnoughData
from stepdown.students.choice import ABSENT, FREE
from stepdown.students.linear.plan import Part, plan_of, single_calls, target_values


def anatomy(shape, *fields):
    return Anatomy(shape, fields, 100, 1.0, 1.0)


def rows(record, count=40, text="two beds in Rome", known=True):
    return [Example(f"e{at}", (Segment("user", text),), record, known) for at in range(count)]


@pytest.mark.parametrize(
    ("field", "method"),
    [
        (Field("/f", "constant"), "choice"),
        (Field("/f", "free"), "free"),
        (Field("/f", "choice", distinct=5, count=100), "choice"),
        (Field("/f", "choice", distinct=5, count=100, aligned=0.8), "either"),
        (Field("/f", "choice", distinct=2000, count=9000), "free"),
        (Field("/f", "copy", distinct=90, count=100, aligned=0.9), "span"),
        (Field("/f", "copy", distinct=20, count=1000, aligned=0.9), "either"),
        (Field("/f", "copy", distinct=20, count=1000, aligned=1.0), "span"),
        (Field("/f", "derived", distinct=5, count=1000, aligned=1.0), "either"),
        (Field("/f", "copy", distinct=5, count=1000, aligned=1.0, many=True), "span"),
        (Field("/f", "copy", distinct=1, count=1000, aligned=1.0), "span"),
    ],
)
def test_the_method_follows_the_kind(field, method):
    (part,) = plan_of(anatomy("json", field), rows({"/g": 1})).parts
    assert part.method == method


@pytest.mark.parametrize(
    ("value", "method"), [("2", "either"), (2, "either"), ("Oslo", "choice"), (True, "choice")]
)
def test_an_enum_that_stands_in_the_input_may_be_copied(value, method):
    plan = plan_of(anatomy("json", Field("/f", "choice", distinct=2)), rows({"/f": value}))
    assert plan.parts[0].method == method


def test_a_label_is_never_copied():
    field = Field("", "choice", distinct=2, aligned=0.9)
    assert plan_of(anatomy("text", field), rows({"": "Rome"})).parts[0].method == "choice"


def test_arguments_belong_to_the_tool_of_their_path():
    fields = (Field("/tool", "choice"), Field("/a~1b/x", "copy"), Field("/a/x", "copy"))
    examples = rows({"/tool": "a/b", "/a~1b/x": "Rome"}) + rows({"/tool": None})
    plan = plan_of(anatomy("tool", *fields), examples)
    assert [(part.path, part.scope) for part in plan.parts] == [("/tool", ""), ("/a~1b/x", "a/b")]
    assert plan.root == "/tool"
    assert plan.scopes == ["", "a/b"]


def test_the_root_is_the_label_where_it_is_chosen():
    assert plan_of(anatomy("text", Field("", "choice")), rows({"": "a"})).root == ""
    assert plan_of(anatomy("text", Field("", "copy")), rows({"": "Rome"})).root is None
    assert plan_of(anatomy("json", Field("/a", "choice")), rows({"/a": 1})).root is None


@pytest.mark.parametrize(("unknown", "gated"), [(0, False), (4, False), (5, True)])
def test_a_gate_is_learnt_where_answers_are_often_unreadable(unknown, gated):
    examples = rows({"": "a"}) + rows({}, unknown, known=False)
    assert plan_of(anatomy("text", Field("", "choice")), examples).gated is gated


def test_rows_of_another_shape_do_not_count_as_examples():
    examples = rows({"": "a"}, 19) + rows({}, 100, known=False)
    with pytest.raises(NotEnoughData, match=r"19 usable .* 20 are needed"):
        plan_of(anatomy("text", Field("", "choice")), examples)


def test_free_text_in_every_answer_is_refused_and_named():
    fields = (Field("/label", "choice"), Field("/reason", "free"))
    with pytest.raises(NotEnoughData, match=r"40 of 40 answers hold free text \(/reason\)"):
        plan_of(anatomy("json", *fields), rows({"/label": "a", "/reason": "because"}))
    some = rows({"/label": "a", "/reason": None}, 5) + rows({"/label": "a", "/reason": "so"})
    assert plan_of(anatomy("json", *fields), some).parts[1].method == "free"


def test_an_anatomy_without_fields_is_refused():
    with pytest.raises(NotEnoughData, match="no field"):
        plan_of(anatomy("json"), rows({"/a": 1}))


def test_what_a_head_learns_of_a_free_field_is_its_presence():
    records = [{"/f": "prose"}, {"/f": None}, {}]
    assert target_values(Part(Field("/f", "free"), "", "free"), records) == [FREE, None, ABSENT]
    assert target_values(Part(Field("/f", "choice"), "", "choice"), records) == [
        "prose",
        None,
        ABSENT,
    ]


def test_settled_methods_replace_open_ones():
    fields = (Field("/a", "choice", aligned=0.9), Field("/b", "choice"))
    plan = plan_of(anatomy("json", *fields), rows({"/a": "Rome", "/b": "x"}))
    assert [part.method for part in plan.decided({"/a": "span"}).parts] == ["span", "choice"]


def test_a_free_field_that_often_stands_in_its_input_is_mixed():
    def examples(copied):
        for at in range(120):
            value = f"code{at}" if at % 11 < copied else f"other{at}"
            text = f"it says code{at} here"
            yield Example(f"e{at}", (Segment("user", text),), {"/a": value, "/b": 1})

    fields = (Field("/a", "free", distinct=120, count=120), Field("/b", "constant", values=(1,)))
    for copied, method in ((4, "mixed"), (1, "free")):
        rows = list(examples(copied))
        if method == "free":
            rows = [msgspec.structs.replace(e, record={"/a": None}) for e in rows[:30]] + rows
        plan = plan_of(Anatomy("json", fields, 120, 0.0, 0.5), rows)
        assert plan.parts[0].method == method


def test_of_a_mixed_field_the_frequent_values_are_classes():
    part = Part(Field("/a", "free"), "", "mixed")
    records = [{"/a": "often"}] * 8 + [{"/a": f"once{at}"} for at in range(6)] + [{"/a": None}, {}]
    values = target_values(part, records)
    assert values == ["often"] * 8 + [FREE] * 6 + [None, ABSENT]


def test_several_calls_at_once_are_of_a_shape_that_no_head_writes():
    one = Example("a", (), {"/tool": "x"})
    many = Example("b", (), {"/calls": [{"name": "x", "arguments": {}}]})
    single, other = single_calls([one, many])
    assert single is one
    assert (other.known, other.record) == (False, {})
