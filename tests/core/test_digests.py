"""A summary loses by what it invents, misses and overruns, and by nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.core.anatomy import Anatomy
from stepdown.core.digests import (
    Limits,
    claims,
    marks,
    style_of_summaries,
    summary_loss,
    summary_of,
)

SOURCE = (
    "On 3 May the outage in Lisbon hit 1,250 customers. It rained. A failed disk was the cause."
)
REFERENCE = "A failed disk in Lisbon hit 1250 customers."
LIMITS = Limits(80)
WORDS = st.lists(st.sampled_from([*SOURCE.split(), "Paris", "77", "and"]), max_size=12)


def lost(said, reference=REFERENCE, limits=LIMITS):
    return summary_loss(said, reference, SOURCE, limits)


def test_the_reference_and_its_like_lose_nothing():
    assert lost(REFERENCE) == 0.0
    assert lost("In Lisbon 1,250 customers were hit: failed disk.") == 0.0


def test_a_number_or_name_that_the_source_lacks_counts():
    assert lost("A failed disk in Lisbon hit 1251 customers.") >= 0.5
    assert claims("We saw Paris and 77 of them. The end.") == {"77", "paris"}
    assert lost("A failed disk in Lisbon hit 1250 customers, says Paris.") == pytest.approx(1 / 3)


def test_what_is_missing_counts():
    assert lost("A failed disk in Lisbon.") == pytest.approx(2 / 4)
    assert lost("It rained.") == 1.0
    assert lost(" ") == 1.0


def test_what_is_too_long_counts_by_how_much():
    assert lost(REFERENCE + " It rained." * 5, limits=Limits(60)) == pytest.approx(38 / 60)
    assert lost(REFERENCE + " It rained." * 50) == 1.0


def test_a_reference_that_took_nothing_can_only_be_repeated():
    assert lost("It rained.", reference="Nope!") == 1.0
    assert lost("Nope!", reference="Nope!") == 0.0


@given(WORDS, WORDS)
def test_the_loss_is_bounded_and_nothing_is_lost_by_the_same(said, reference):
    a, b = " ".join(said), " ".join(reference)
    assert 0.0 <= lost(a, b) <= 1.0
    assert lost(a, a) == 0.0


@given(WORDS)
def test_words_of_the_source_invent_nothing(words):
    text = " ".join(word for word in words if word in SOURCE.split())
    assert claims(text) <= marks(SOURCE) | {word.lower()[:6] for word in SOURCE.split()}


def test_an_anatomy_keeps_the_limits():
    bare = Anatomy("text", (), 0, 0.0, 0.0)
    assert summary_of(bare) is None
    styled = Anatomy("text", (), 0, 0.0, 0.0, style=style_of_summaries(LIMITS))
    assert summary_of(styled) == LIMITS
