"""Hashed shingles measure what a definition with strings measures; buckets find what is alike."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.label.similarity import Sketches, jaccard, normalised, shingles

VOCABULARY = ["book", "a", "table", "for", "two", "six", "in", "paris", "rome"]
words = st.lists(st.sampled_from(VOCABULARY), max_size=12)
texts = st.one_of(words.map(" ".join), st.text(max_size=40).map(normalised))


def by_definition(a, b):
    """Return the Jaccard similarity of two multisets of 4-grams."""

    def grams(text):
        padded = f" {text} ".ljust(4)
        return Counter(padded[at : at + 4] for at in range(len(padded) - 3))

    left, right = grams(a), grams(b)
    return (left & right).total() / (left | right).total()


@given(texts, texts)
def test_similarity_is_that_of_the_definition(a, b):
    found = jaccard(shingles(a), shingles(b))
    assert found == pytest.approx(by_definition(a, b))
    assert found == jaccard(shingles(b), shingles(a))
    assert jaccard(shingles(a), shingles(a)) == 1.0


@given(st.text(max_size=30))
def test_case_and_space_make_no_difference(text):
    assert normalised(f"  {text}\t ") == normalised(text)
    assert normalised(normalised(text)) == normalised(text)
    assert normalised("Ｂook\u00a0 A  TABLE") == "book a table"


def test_lone_surrogates_have_shingles():
    assert len(shingles("a\ud800b")) == 2


def variants(count):
    random = np.random.default_rng(5)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz "))
    for _ in range(count):
        text = "".join(random.choice(letters, 60))
        at = int(random.integers(5, 55))
        yield normalised(text), normalised(text[:at] + "é" + text[at + 1 :])


def test_planted_twins_are_found_and_strangers_are_not():
    pairs = list(variants(400))
    sketches = Sketches([text for pair in pairs for text in pair])
    rows, others = np.arange(0, 800, 2), np.arange(1, 800, 2)
    found = {
        row: sketches.alike(row, mates, 0.7) for row, mates in sketches.bucket_mates(rows, others)
    }
    assert {row: mate for row, mate in found.items() if mate is not None} == {
        row: row + 1 for row in rows.tolist()
    }


def test_long_texts_of_one_language_are_not_alike_but_their_edits_are():
    random = np.random.default_rng(6)
    vocabulary = ["".join(random.choice(list("aeioulnrst"), 5)) for _ in range(300)]
    one, two = (" ".join(random.choice(vocabulary, 2000)) for _ in range(2))
    edited = one.replace(vocabulary[0], "changed")
    sketches = Sketches([one, two, edited])
    assert sketches.alike(0, np.array([1]), 0.7) is None
    assert sketches.alike(0, np.array([1, 2]), 0.7) == 2
