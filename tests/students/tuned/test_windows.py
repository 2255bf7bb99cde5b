"""Training cuts a text as the session will read it, and finds each word's pieces in it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.encoder.session import MOST_WINDOWS, WINDOW
from stepdown.students.spans_features import tokenise
from stepdown.students.tuned.windows import pad


def test_every_piece_stands_where_it_is_said_to(cutter):
    text = " ".join(["fly to rome from oslo"] * 120)
    cut = cutter.cut(text)
    words = tokenise(text, compound=False)
    pieces, owners = cut.locate(words)
    assert len(cut.windows) > 1
    assert max(map(len, cut.windows)) == WINDOW
    ids = {text[a:b]: set() for a, b in words}
    for (window, position), owner in zip(pieces.tolist(), owners.tolist(), strict=True):
        ids[text[slice(*words[owner])]].add(cut.windows[window][position])
    assert all(len(found) == 1 for found in ids.values())
    assert len(set.union(*ids.values())) == len(ids)


def test_a_text_beyond_the_last_window_is_not_read(cutter):
    cut = cutter.cut("rome " * 5000)
    assert len(cut.windows) == MOST_WINDOWS
    assert len(cut.places) == MOST_WINDOWS * (WINDOW - 2)


@given(st.text(max_size=40))
def test_any_text_can_be_cut(cutter, text):
    cut = cutter.cut(text)
    words = tokenise(text, compound=True)
    pieces, owners = cut.locate(words)
    assert len(pieces) == len(owners)
    assert all(0 < position < len(cut.windows[window]) - 1 for window, position in pieces.tolist())


def test_windows_are_padded_to_the_longest():
    ids, mask = pad([[1, 2, 3], [4]], 9)
    assert ids.tolist() == [[1, 2, 3], [4, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert ids.dtype == mask.dtype == np.int64
