"""Laws of templates: what was filled in is found again, whatever it holds."""

from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.templates import ANYTHING, Template, match


def fill(template, holes):
    parts = [template.fragments[0]]
    for hole, fragment in zip(holes, template.fragments[1:], strict=True):
        parts += [hole, fragment]
    return "".join(parts)


words = st.text("ab \n.:", max_size=6)


@given(st.lists(words, min_size=1, max_size=5), st.data())
def test_a_filled_template_matches_and_reads_back_the_same_text(fragments, data):
    template = Template(tuple(fragments))
    holes = [data.draw(words) for _ in fragments[1:]]
    text = fill(template, holes)
    found = match(template, text)
    assert found is not None
    assert len(found) == len(holes)
    assert fill(template, found) == text


@given(st.lists(st.text("xyz", min_size=1), min_size=2, max_size=4), st.data())
def test_holes_are_exact_when_they_cannot_hold_a_fragment(fragments, data):
    template = Template(tuple(fragments))
    holes = tuple(data.draw(st.text("abc 0", max_size=8)) for _ in fragments[1:])
    assert match(template, fill(template, holes)) == holes


def test_what_is_not_of_the_template_is_none():
    template = Template(("Date: ", ". Say ", "!"))
    assert match(template, "Date: today. Say hello!") == ("today", "hello")
    assert match(template, "Date: today. Say hello") is None
    assert match(template, "date: today. Say hello!") is None
    assert match(template, "Date: today!") is None
    assert match(Template(("aba", "ba")), "aba") is None  # the two fragments may not overlap


def test_one_fragment_is_a_constant_text_and_two_empty_ones_are_anything():
    assert match(Template(("same",)), "same") == ()
    assert match(Template(("same",)), "same ") is None
    assert match(ANYTHING, "whatever") == ("whatever",)
    assert Template(("ab", "c")).constant_chars == 3
