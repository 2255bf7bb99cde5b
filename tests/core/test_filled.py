"""A text taken apart and filled in again is the same text."""

from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy, Field
from stepdown.core.filled import fill, slot_path, slots_of, style_with, take_apart, templates_of
from stepdown.core.templates import Template

PIECES = st.text(st.sampled_from("ab: ."), max_size=4)
TEMPLATES = st.lists(st.lists(PIECES, min_size=1, max_size=4).map(tuple).map(Template), max_size=3)
TWO = (Template(("Hi ", ": ", "")), Template(("", " left.")))


@given(TEMPLATES, st.text(st.sampled_from("ab: ."), max_size=12))
def test_what_was_taken_apart_is_filled_in_alike(templates, text):
    record = take_apart(templates, text)
    assert record is None or fill(templates, record) == text


def test_a_record_names_the_template_and_its_slots():
    assert take_apart(TWO, "Hi Ann: hello") == {
        "/tool": "template0",
        "/template0/0": "Ann",
        "/template0/1": "hello",
    }
    assert take_apart(TWO, "Ann left.") == {"/tool": "template1", "/template1/0": "Ann"}
    assert take_apart(TWO, "Ann stays.") is None


def test_an_unfinished_record_is_no_text():
    assert fill(TWO, {"/tool": "template0", "/template0/0": "Ann"}) is None
    assert fill(TWO, {"/tool": "template9"}) is None
    assert fill(TWO, {}) is None


def test_an_anatomy_keeps_templates_and_slots():
    slots = (Field(slot_path(0, 0), "copy"), Field(slot_path(1, 0), "choice", values=("x",)))
    anatomy = Anatomy("text", (Field("", "derived"),), 50, 1.0, 1.0, style=style_with(TWO, slots))
    assert templates_of(anatomy) == TWO
    apart = slots_of(anatomy)
    assert (apart.shape, apart.fields[1:]) == ("tool", slots)
    assert apart.fields[0].values == ("template0", "template1")
    assert templates_of(Anatomy("text", (), 0, 0, 0)) == ()
