import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.declared import Declared
from stepdown.audit.fields import Column, measure_field, prose, unseen_mass

WORDS = ["amber", "birch", "cedar", "daisy", "ebony", "fern", "grove", "hazel", "iris", "jade"]


def names(count):
    made = random.Random(3)
    return ["".join(made.choices("bcdfgklmnprstvz", k=7)) for _ in range(count)]


def field(values, inputs=None, records=None, declared=None):
    texts = inputs or ["nothing to see"] * len(values)
    return measure_field(Column("/f", records or len(values), list(values), texts), declared)


def test_one_value_that_is_always_there_is_constant():
    found = field(["ok"] * 50)
    assert (found.kind, found.values) == ("constant", ("ok",))
    assert field([None] * 50).values == (None,)
    assert field([[]] * 50).kind == "constant"


def test_one_value_that_is_at_times_absent_or_null_is_a_choice():
    assert field(["ok"] * 50, records=80).kind == "choice"
    found = field(["ok"] * 40 + [None] * 10)
    assert (found.kind, found.values, found.null) == ("choice", ("ok",), pytest.approx(0.2))


def test_a_closed_set_is_a_choice_commonest_first():
    found = field(["b", "a", "b", "c", "b", "a"] * 20)
    assert (found.kind, found.values, found.distinct) == ("choice", ("b", "a", "c"), 3)


def test_labels_that_differ_in_case_or_blanks_are_one():
    found = field(["Spam", "spam ", "Spam", "ham"] * 20)
    assert found.values == ("Spam", "ham")


def test_few_long_tailed_labels_are_still_a_choice():
    values = [WORDS[n % 10] for n in range(40)] + ["once", "twice", "thrice"]
    assert field(values).kind == "choice"


def test_a_span_of_the_input_is_a_copy():
    values = names(60)
    found = field(values, [f"my name is {name}." for name in values])
    assert (found.kind, found.normaliser, found.aligned) == ("copy", "identity", 1.0)
    assert found.values == ()


def test_a_normalised_span_is_derived():
    days = [(1 + n % 28, 1 + n % 12) for n in range(80)]
    found = field(
        [f"2026-{month:02}-{day:02}" for day, month in days],
        [f"due on {day:02}/{month:02}/2026" for day, month in days],
    )
    assert (found.kind, found.normaliser) == ("derived", "date:dmy>iso")


def test_few_values_that_stand_in_the_input_are_copied():
    values = [WORDS[n % 5] for n in range(100)]
    assert field(values, [f"bring {value} now" for value in values]).kind == "copy"


def test_few_values_that_every_input_lists_are_chosen():
    values = [WORDS[n % 5] for n in range(100)]
    menu = " ".join(WORDS[:5])
    assert field(values, [f"one of {menu}"] * 100).kind == "choice"


def test_days_of_a_year_that_stand_in_their_inputs_are_no_menu():
    days = [f"2026-{n % 12 + 1:02}-{n % 28 + 1:02}" for n in range(1_000)]
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
    texts = [
        f"I need it today. Bought on {int(day[8:])} {months.split()[int(day[5:7]) - 1]} 2026."
        for day in days
    ]
    assert field(days, texts).kind == "derived"


def test_values_from_nowhere_are_free():
    assert field(names(60)).kind == "free"
    assert field([n * 37 for n in range(60)]).kind == "free"


def test_a_declared_enum_is_a_choice_however_few_are_seen():
    assert field(names(5), declared=Declared(closed=True)).kind == "choice"
    assert field([True, False, True]).kind == "choice"


def test_items_of_a_list_are_measured_one_by_one():
    found = field([["a", "b"], [], ["b"]] * 20)
    assert (found.kind, found.many, found.type) == ("choice", True, "string")
    assert set(found.values) == {"a", "b"}


def test_lists_of_objects_and_mixed_lists_are_free():
    assert field([[{"a": n}] for n in range(50)]).kind == "free"
    assert field([["a"], "a"] * 30).kind == "free"


def test_presence_null_and_requirement():
    found = field(["a", None, "b"] * 10, records=60)
    assert found.present == 0.5
    assert found.null == pytest.approx(1 / 3)
    assert not found.required
    assert field(["a"] * 3, declared=Declared(required=False)).required is False


def test_types():
    assert field([1, 2.5] * 20).type == "number"
    assert field([1, 2] * 20).type == "integer"
    assert field([None] * 20).type == "null"


def test_prose_is_told_from_values():
    sentence = "this is a long answer that goes on for more words than any label would ever do so"
    assert prose(Column("", 1, [sentence], [""]))
    assert not prose(Column("", 1, ["label", 5, None], [""] * 3))


def test_unseen_mass_is_the_share_of_singletons():
    assert unseen_mass([5, 3, 1, 1]) == 0.2
    assert unseen_mass([]) == 1.0


@given(st.lists(st.none() | st.booleans() | st.integers() | st.text(max_size=5), min_size=1))
def test_any_column_is_measured(values):
    found = field(values)
    assert found.count == len(values)
    assert 0 <= found.null <= 1
    assert 0 <= found.aligned <= 1
    assert (found.kind == "constant") <= (len(found.values) == 1)
