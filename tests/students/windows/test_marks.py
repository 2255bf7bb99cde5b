"""Marks are written and read back, and hold nothing that a value could be found in."""

from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.align import align
from stepdown.students.windows.marks import field_letters, mark, mark_line, regions

PATHS = st.text(min_size=1, max_size=20)


@given(st.lists(st.tuples(PATHS, st.integers(0, 25), st.integers(0, 25)), min_size=1, max_size=5))
def test_what_was_marked_is_read_back(chosen):
    marks = tuple(mark(*one) for one in chosen)
    text = f"{mark_line(marks)}\nthe clause"
    (region,) = regions(text)
    assert region.marks == marks
    assert text[region.start : region.end].strip() == "the clause"


def test_regions_end_where_the_next_begins():
    text = f"{mark_line(['aaaaab'])}\none\n{mark_line(['bbbbba', 'ccccca'])}\ntwo"
    assert [text[r.start : r.end].strip() for r in regions(text)] == ["one", "two"]
    assert [len(r.marks) for r in regions(text)] == [1, 2]


def test_a_text_without_marks_has_no_regions():
    assert regions("⟦ not a mark ⟧ and ⟦abc⟧") == []


def test_no_number_stands_in_a_mark():
    line = mark_line([mark("/total", rank, 2) for rank in range(3)])
    assert align(0, line) == align("total", line) == []


def test_letters_tell_fields_apart():
    paths = [f"/field{at}" for at in range(50)]
    assert len({field_letters(path) for path in paths}) == 50
