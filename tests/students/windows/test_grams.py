"""Features of windows: pairs of units, scaled rows, places in the text."""

import numpy as np

from stepdown.students.windows.grams import POSITIONS, fit_grams

TEXT = "laws of Ohio. paid on 12 May 2019. laws of Utah. laws of Iowa. "
UNITS = [(0, 14), (14, 35), (35, 49), (49, 63)]


def made():
    return fit_grams([(TEXT, UNITS)], 100)


def test_only_what_stands_in_three_units_is_kept():
    assert made().names == ("laws", "laws of", "of")


def test_no_more_are_kept_than_asked_for():
    assert len(fit_grams([(TEXT, UNITS)], 2)) == 2


def test_a_window_is_a_unit_and_the_one_after_it():
    grams = made()
    rows = grams.rows(TEXT, UNITS).toarray()
    assert rows.shape == (4, 3 + POSITIONS)
    assert (rows[:, 0] > 0).tolist() == [True, True, True, True]
    assert np.allclose((rows[:, :3] ** 2).sum(axis=1), 1.0, atol=1e-5)


def test_a_window_without_known_words_is_empty_but_for_its_place():
    rows = made().rows("paid now. gone. ", [(0, 10), (10, 16)]).toarray()
    assert not rows[:, :3].any()
    assert (np.count_nonzero(rows, axis=1) == 3).all()


def test_numbers_are_seen_by_their_shape_alone():
    text = "due 12 June 1999. due 30 June 2020. due 11 June 2004. "
    names = fit_grams([(text, [(0, 18), (18, 36), (36, 54)])], 100).names
    assert "#year" in names and "#2 june" in names
    assert not [name for name in names if any(c.isdigit() for c in name.replace("#2", ""))]


def test_a_text_of_one_unit_has_one_window():
    assert made().rows("laws of Ohio", [(0, 12)]).get_shape() == (1, 3 + POSITIONS)
