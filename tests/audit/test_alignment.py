"""Aligning texts: the template fits all of them, and a wider one fits what the narrow ones fit."""

from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.alignment import align, generalise, generalises, hole_heads, words
from stepdown.core.templates import ANYTHING, Template, match

pieces = st.lists(st.sampled_from(["Text: ", "a b", "cc", "\n\n", "Label:", " "]), max_size=5)


@given(st.lists(pieces.map("".join), min_size=1, max_size=8))
def test_the_template_fits_every_text(texts):
    template = align(texts)
    assert all(match(template, text) is not None for text in texts)


@given(st.lists(st.lists(st.sampled_from(["Text: ", "", "x", "\n"]), min_size=1, max_size=4).map(
    lambda fragments: Template(tuple(fragments))), min_size=1, max_size=4))  # fmt: skip
def test_the_general_template_fits_what_each_fits(templates):
    wide = generalise(templates)
    for narrow in templates:
        filled = "zz".join(narrow.fragments)
        assert match(wide, filled) is not None


def test_delimited_constants_stay_and_dates_are_holes():
    texts = [f"Today is 2026-11-23.\n\nText: {word} {word[::-1]}\n\nLabel:" for word in
             ("parcel", "window", "garden", "invoice", "bicycle", "lamp")]  # fmt: skip
    template = align(texts)
    said = "Today is 2027-01-02.\n\nText: brand new\n\nLabel:"
    assert match(template, said) is not None
    assert words(template) >= 4
    assert match(template, "Yesterday was fine.") is None


def test_nothing_to_align_is_anything():
    assert align([]) == ANYTHING
    assert generalises(ANYTHING, Template(("same", "")))
    assert not generalises(Template(("same", "")), ANYTHING)


def test_what_a_narrow_template_puts_into_a_hole():
    assert hole_heads(Template(("Say: ", "")), Template(("Say: hello ", ""))) == ["hello "]
