"""Best-first search finds what weighing every text would, and bounds what it did not weigh."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.generative.search import Node, best_first


def searched(chances):
    """Search texts of two letters whose joint chances are given, letter by letter."""
    texts = sorted(chances)
    asked = []

    def expand(node):
        asked.append(node.prefix)
        longer = {}
        for member in node.members:
            longer.setdefault(texts[member][: len(node.prefix) + 1], []).append(member)
        for prefix, members in longer.items():
            mass = sum(chances[texts[m]] for m in members)
            whole = len(prefix) == 2
            yield Node(prefix, tuple(members), math.log(mass), whole)

    return texts, best_first(len(texts), expand, Node("", tuple(range(len(texts))))), asked


@given(
    st.dictionaries(
        st.text("abc", min_size=2, max_size=2), st.floats(0.001, 1.0), min_size=1, max_size=9
    )
)
def test_it_is_the_likeliest_text_with_its_share(weights):
    total = sum(weights.values()) * 1.5
    chances = {text: weight / total for text, weight in weights.items()}
    texts, ranked, _ = searched(chances)
    best = max(chances.values())
    assert chances[texts[ranked.index]] == pytest.approx(best)
    assert ranked.share == pytest.approx(best / sum(chances.values()))
    assert ranked.log_p == pytest.approx(math.log(best))
    assert ranked.log_ratio >= -1e-9


def test_branches_that_cannot_win_are_not_weighed():
    chances = {"aa": 0.5, "ab": 0.3, "ba": 0.05, "bb": 0.05, "ca": 0.01}
    _, ranked, asked = searched(chances)
    assert asked == ["", "a"]
    assert ranked.log_ratio == pytest.approx(math.log(0.5 / 0.3))


def test_no_text_has_a_chance():
    assert best_first(2, lambda node: [], Node("", (0, 1))) is None
