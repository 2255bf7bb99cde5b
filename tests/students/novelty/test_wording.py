"""Texts by what they are made of: trigrams of bytes, whatever the script, whatever the length."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stepdown.students.novelty.wording import (
    BUCKETS,
    WORD_BUCKETS,
    clip,
    count_grams,
    count_words,
    grams_of,
    log_shares,
    oddness,
    rarity,
    words_of,
)

ENGLISH = ["please show me my last invoice", "I want to change my address", "where is the parcel"]


def shares_of(texts):
    return log_shares(count_grams(texts), len(texts))


@given(st.text(alphabet=st.characters(), max_size=60))
def test_any_text_has_buckets_within_the_table(text):
    grams = grams_of(text)
    assert len(grams) == 0 or int(grams.max()) < BUCKETS
    assert np.isfinite(oddness(grams, shares_of(ENGLISH), 20.0))


def test_case_is_not_told_apart_and_lone_surrogates_are_read():
    assert grams_of("Where IS it").tolist() == grams_of("where is IT").tolist()
    assert len(grams_of("\ud800 odd")) > 0


def test_nothing_and_blanks_have_no_trigram():
    assert len(grams_of("")) == len(grams_of(" \n\t")) == 0
    assert oddness(grams_of(""), shares_of(ENGLISH), 20.0) == 0.0


def test_another_language_is_odder_than_other_words_of_the_same():
    shares = shares_of(ENGLISH)
    own, other, script = (
        oddness(grams_of(text), shares, 20.0)
        for text in ("show me the address", "zażółć gęślą jaźń", "где моя посылка сейчас")
    )
    assert own < other
    assert own < script


def test_a_long_text_is_read_by_both_ends():
    text = "a" * 50_000 + "b" * 50_000
    assert len(clip(text)) == 4_000
    assert clip(text).count("a") == clip(text).count("b")
    assert clip("short") == "short"
    assert len(grams_of(text)) == 4_000


def test_a_text_counts_once_for_each_of_its_trigrams():
    counts = count_grams(["aaaa", "aaaaaaaa"])
    assert counts.max() == 2


def test_few_trigrams_say_less_than_many():
    shares = shares_of(ENGLISH)
    assert oddness(grams_of("qx"), shares, 20.0) < oddness(grams_of("qx" * 30), shares, 20.0)


def test_the_rarest_word_counts_and_case_does_not():
    counts = count_words([*ENGLISH, "please please"]).astype(np.uint8)
    assert counts.max() == 2
    please, unknown, both = (rarity(words_of(t), counts) for t in ("Please", "xyz", "please xyz"))
    assert please == -np.log(2.5)
    assert unknown == both == -np.log(0.5) == rarity([], counts)


@given(st.text(alphabet=st.characters(), max_size=60))
def test_any_text_has_words_within_the_table(text):
    assert all(0 <= word < WORD_BUCKETS for word in words_of(text))


def test_counts_of_a_part_are_made_comparable():
    half = count_words(ENGLISH).astype(np.uint8)
    whole = count_words(ENGLISH * 2).astype(np.uint8)
    word = words_of("parcel")
    assert rarity(word, half, 2.0) == rarity(word, whole)
