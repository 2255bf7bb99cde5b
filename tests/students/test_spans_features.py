"""Features: tokens cover the text, a row never sees its own answer, groups follow the layout."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.spans_features import Layout, features, lexicon_of, tokenise

TEXTS = st.text(max_size=60)


def words(text, compound=True):
    return [text[a:b] for a, b in tokenise(text, compound)]


@given(TEXTS, st.booleans())
def test_tokens_cover_all_but_white_space(text, compound):
    assert "".join("".join(words(text, compound)).split()) == "".join(text.split())


@given(TEXTS, st.booleans(), st.booleans())
def test_any_text_has_features_for_each_token(text, lines, roles):
    tokens = tokenise(text, True)
    rows = features(text, tokens, Layout(lines=lines, roles=roles), {})
    assert len(rows) == len(tokens)
    assert rows == features(text, tokens, Layout(lines=lines, roles=roles), {})


@pytest.mark.parametrize(
    ("text", "compound", "tokens"),
    [
        ("RM9.50 on 25/12/2018", True, ["RM", "9.50", "on", "25/12/2018"]),
        ("9.50", False, ["9", ".", "50"]),
        ("don't", True, ["don", "'", "t"]),
        ("我在 x", True, ["我", "在", "x"]),
    ],
)
def test_tokenise(text, compound, tokens):
    assert words(text, compound) == tokens


def row_of(text, word, lexicon=None, own=None, **layout):
    tokens = tokenise(text, True)
    rows = features(text, tokens, Layout(**layout), lexicon or {}, own)
    return rows[words(text).index(word)]


def test_a_known_value_marks_its_tokens_and_neighbours():
    lexicon = {"new york": {"0": 2}, "york": {"1": 1}}
    assert {"k=B0", "n=B0"} <= set(row_of("to New York now", "New", lexicon))
    assert "k=E0" in row_of("to New York now", "York", lexicon)
    assert "+k=0" in row_of("to New York now", "to", lexicon)
    assert "-k=0" in row_of("to New York now", "now", lexicon)
    assert "k=U1" in row_of("York", "York", lexicon)


def test_a_row_does_not_know_its_own_answer():
    text = "to New York now"
    tokens = tokenise(text, True)
    own = lexicon_of(text, tokens, [(1, 3, "0")])
    assert own == {"new york": {"0": 1}}
    alone, again = {"new york": {"0": 1}}, {"new york": {"0": 2}}
    plain = features(text, tokens, Layout(), {})
    assert features(text, tokens, Layout(), alone, own) == plain
    assert features(text, tokens, Layout(), again, own) != plain


def test_long_values_are_not_remembered():
    text = "a b c d e f g h i"
    assert lexicon_of(text, tokenise(text, True), [(0, 9, "0")]) == {}


def test_lines_tell_the_label_above():
    text = "Shop\nTOTAL DUE\n12.50\nTHANK YOU"
    row = row_of(text, "12.50", lines=True)
    assert {"up=total due", "lab=total due", "u:total", "d:thank", "top=2"} <= set(row)
    assert not any(name.startswith("up=") for name in row_of(text, "12.50"))


def test_sums_are_ranked_and_change_is_seen():
    text = "1.00\n12.50\nCASH\n20.00\nCHANGE\n7.50"
    row = row_of(text, "12.50", lines=True)
    assert {"rank=1", "same=1", "change=True"} <= set(row)
    assert "change=False" in row_of(text, "1.00", lines=True)


def test_dates_are_marked_whole():
    text = "a\nb\nDate 12 MAR 2018 x"
    assert "date=B0" in row_of(text, "12", lines=True)
    assert "date=I0" in row_of(text, "2018", lines=True)
    assert "-date" in row_of(text, "x", lines=True)


def test_speakers_are_told_apart():
    text = "user: Oslo\nassistant: Rome\nuser: Paris please"
    assert "role=user" in row_of(text, "Oslo", roles=True)
    assert "role=assistant" in row_of(text, "Rome", roles=True)
    assert "turn=1 user" in row_of(text, "Paris", roles=True)
    assert "role=none" in row_of("hi\nuser: x", "hi", roles=True)


def test_a_digests_marks_are_features_of_the_windows_tokens_alone():
    text = "Before.\n⟦abcdae abcdbb⟧\nOhio law"
    tokens = tokenise(text, compound=True)
    rows = features(text, tokens, Layout(windows=True), {})
    assert {"w=abcda", "we=abcd", "w=abcda Xx", "w=abcdb"} <= set(rows[-2])
    assert not [name for name in rows[0] if name.startswith("w")]
    plain = features(text, tokens, Layout(), {})
    assert not [name for row in plain for name in row if name.startswith("w=")]
