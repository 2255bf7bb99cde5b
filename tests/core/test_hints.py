"""All of some literals are found at once, and nothing else is."""

import re

from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.hints import hints_of

LITERALS = (b"sk-", b"ghp_", b"password", b"passwd", b"://", b"@", b"PRIVATE KEY-----")
HINTS = hints_of(LITERALS)
LIKE_THEM = st.lists(
    st.one_of(st.sampled_from([*LITERALS, b"assw", b"k-", b"sk", b"hp_", b"p_s"]), st.binary())
).map(b"".join)


@given(LIKE_THEM, st.sets(st.sampled_from(LITERALS)))
def test_it_finds_what_a_search_for_each_finds(line, literals):
    assert hints_of(literals).stand_in(line) == any(one in line for one in literals)


@given(st.lists(st.binary(min_size=1, max_size=5)), st.binary(max_size=40))
def test_any_literals_will_do(literals, line):
    wanted = re.compile(b"|".join(map(re.escape, literals)) if literals else rb"(?!)")
    assert hints_of(literals).stand_in(line) == (wanted.search(line) is not None)


def test_the_edges_of_a_line_are_searched_too():
    for literal in LITERALS:
        assert HINTS.stand_in(literal)
        assert HINTS.stand_in(b"x" * 5000 + literal)
        assert HINTS.stand_in(literal + b"x" * 5000)
    assert not HINTS.stand_in(b"")
    assert not HINTS.stand_in(b"assword passw: //")


def test_an_empty_literal_stands_everywhere_and_none_nowhere():
    assert hints_of([b""]).stand_in(b"")
    assert not hints_of([]).stand_in(b"password")
