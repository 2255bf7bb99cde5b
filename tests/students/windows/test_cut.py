"""Units cover the text, in order, within their lengths."""

from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.windows.cut import cut

PROSE = st.text(st.sampled_from("ab. \n;)é漢1"), max_size=3000)


@given(PROSE)
def test_units_are_the_text(text):
    units = cut(text)
    assert "".join(text[start:end] for start, end in units) == text
    assert all(end > start for start, end in units)


@given(PROSE)
def test_units_keep_their_lengths(text):
    sizes = [end - start for start, end in cut(text)]
    assert all(size >= 240 for size in sizes[:-1])
    assert all(size <= 720 for size in sizes)


def test_a_sentence_is_not_cut_where_it_need_not_be():
    sentence = "The seller delivers the goods to the buyer on the first day of the month. "
    text = sentence * 20
    assert all(text[:end].endswith(". ") for _, end in cut(text))


def test_a_text_without_blanks_is_cut_all_the_same():
    assert [end - start for start, end in cut("x" * 1000)] == [480, 480, 40]
