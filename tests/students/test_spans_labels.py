"""Labels: values become BIO labels, stand-ins are no values, fields that clash are parted."""

import pytest

from stepdown.core.anatomy import Field
from stepdown.students.spans_features import tokenise
from stepdown.students.spans_labels import Placed, fits, label_fields, layers_of, tags
from stepdown.students.windows.marks import mark, mark_line


def label(texts, values, many=False):
    (field,) = label_fields(texts, [{"/x": v} for v in values], [Field("/x", "copy", many=many)])
    return field


def test_values_are_placed_and_the_normaliser_learnt():
    field = label(["on 04/05/2017", "on 25/12/2018"], ["2017-05-04", "2018-12-25"])
    assert (field.normaliser, field.rate, field.absent) == ("date:dmy>iso", 1.0, 0.0)
    assert field.places == (Placed(((3, 13),)), Placed(((3, 13),)))


def test_every_place_of_a_value_is_labelled():
    assert label(["5.00 and 5.00"], ["5.00"]).places[0].spans == ((0, 4), (9, 13))


def test_lists_are_labelled_item_by_item():
    field = label(["ham and EGGS"], [["ham", "eggs"]], many=True)
    assert field.places[0].spans == ((0, 3), (8, 12))
    assert (field.normaliser, field.rate) == ("lower", 1.0)


@pytest.mark.parametrize("blank", [None, "", "N/A", []])
def test_what_stands_for_nothing_is_learnt(blank):
    field = label(["a b", "c d", "e f"], ["a", blank, blank])
    assert field.nothing == blank
    assert field.absent == pytest.approx(2 / 3)
    assert not any(place.missed for place in field.places)


def test_a_value_that_stands_nowhere_is_missed():
    field = label(["a b", "c d", "e f"], ["a", "x", "y"])
    assert [place.missed for place in field.places] == [False, True, True]
    assert field.nothing is None


def test_tags():
    tokens = tokenise("to New York, York", True)
    labels, placed = tags([("0", Placed(((3, 11),))), ("1", Placed(((7, 11), (13, 17))))], tokens)
    assert labels == ["O", "B-0", "I-0", "O", "B-1"]
    assert placed == [(1, 3, "0"), (4, 5, "1")]


def test_a_span_within_a_token_fits_nothing():
    tokens = [tokenise("25/12/2018", True)]
    field = label(["25/12/2018"], ["2018"])
    inside = type(field)("/x", False, "identity", 1.0, None, 0.0, (Placed(((6, 10),)),))
    assert fits([inside], tokens) == 0.0
    assert fits([inside], [tokenise("25/12/2018", False)]) == 1.0
    assert fits([], []) == 1.0
    assert tags([("0", inside.places[0])], tokens[0]) == (["O"], [])


def test_fields_with_the_same_words_get_layers_of_their_own():
    texts = ["to Oslo at 9", "to Rome at 8"]
    records = [{"/a": "Oslo", "/b": "Oslo", "/c": "9"}, {"/a": "Rome", "/b": "Rome", "/c": "8"}]
    fields = [Field(path, "copy") for path in ("/a", "/b", "/c")]
    assert layers_of(label_fields(texts, records, fields)) == [[0, 2], [1]]


def digest_of(path):
    good, other = mark(path, 0, 4), mark("/other", 0, 4)
    return f"{mark_line([other])}\nmade in Ohio\n{mark_line([good])}\nthe laws of Ohio, in Ohio"


def test_in_a_digest_only_places_in_the_fields_best_window_count():
    text = digest_of("/law")
    (field,) = label_fields([text], [{"/law": "Ohio"}], [Field("/law", "copy")])
    assert [text[:start].count("Ohio") for start, _ in field.places[0].spans] == [1, 2]


def test_a_value_in_no_window_of_its_own_counts_where_it_stands():
    text = digest_of("/law")
    (field,) = label_fields([text], [{"/place": "Ohio"}], [Field("/place", "copy")])
    assert len(field.places[0].spans) == 3


def test_a_value_is_sought_in_its_window_first_even_where_it_is_spelt_otherwise():
    text = f"{mark_line([mark('/x', 0, 4)])}\nLAWS OF OHIO\n{mark_line(['zzzzaa'])}\nmade in Ohio"
    (field,) = label_fields([text], [{"/x": "Ohio"}], [Field("/x", "copy")])
    ((start, end),) = field.places[0].spans
    assert text[start:end] == "OHIO"


def test_the_teachers_spelling_is_learnt_where_spans_are_spelt_otherwise():
    mixed = label(
        ["in USA", "in usa", "in Peru", "in PERU", "in Chad"],
        ["USA", "USA", "Peru", "Peru", "Chad"],
    )
    assert mixed.spellings == {"usa": "USA", "peru": "Peru", "chad": "Chad"}


def test_values_copied_as_they_stand_have_no_spellings():
    assert label(["in OHIO", "in Ohio", "in OHIO"], ["OHIO", "Ohio", "OHIO"]).spellings == {}
