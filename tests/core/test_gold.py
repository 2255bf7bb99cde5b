"""The last word on an item counts, and a skip is none."""

from stepdown.core.gold import Gold, latest


def test_the_last_word_counts():
    lines = [
        Gold("a", "accepted", {"": "x"}),
        Gold("b", "skipped"),
        Gold("a", "corrected", {"": "y"}),
        Gold("b", "none"),
        Gold("a", "skipped"),
        Gold("c", "skipped"),
    ]
    found = latest(lines)
    assert found["a"].record == {"": "y"}
    assert found["b"].verdict == "none"
    assert found["c"].verdict == "skipped"
    assert [found[name].known for name in "abc"] == [True, False, False]
