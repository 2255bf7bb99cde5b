"""Tokens: nothing is lost in cutting, and what moves is masked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.tokens import (
    common_words,
    cuts,
    date_spans,
    is_name,
    mask,
    moving_spans,
    skeleton,
    tokens,
)


@given(st.text())
def test_tokens_joined_are_the_text(text):
    assert "".join(tokens(text)) == text


@pytest.mark.parametrize("word", ["2026-11-23", "A1B2C3", "me@example.org", "https://x.y", "77"])
def test_dates_ids_and_addresses_are_masked_alike(word):
    assert mask(word) == "0"


def test_words_stay_themselves():
    assert mask("invoice") == "invoice"


@pytest.mark.parametrize("text", ["2026-11-23", "12:30:05", "2026-11-23T10:00:00Z"])
def test_dates_and_times_move(text):
    assert moving_spans(f"on {text} we met")


def test_an_instruction_does_not_move():
    assert not moving_spans("Answer in one word")


def test_names_are_what_is_never_written_small():
    common = common_words(["please answer the question", "Answer Maria", "the answer is no"])
    assert "answer" in common
    assert is_name("Maria", common)
    assert not is_name("Answer", common)
    assert not is_name("maria", common)


def test_two_people_on_two_days_have_one_skeleton():
    one = skeleton("sent by Maria on 2026-11-23", frozenset(), True)
    assert one == skeleton("sent by Bruno on 2025-01-02", frozenset(), True)
    assert one != skeleton("sent to Maria on 2026-11-23", frozenset(), True)


def test_dates_are_told_from_amounts_and_ids():
    said = "On Nov 1, 2026 at 12:30, or 2026-11-02, pay $500.00 for rollover_401k by Friday"
    found = [said[start:end] for start, end in date_spans(said)]
    assert found == ["Nov 1, 2026", "12:30", "2026-11-02", "Friday"]


@given(st.text())
def test_cuts_go_through_no_word_and_no_date(text):
    places = cuts(text)
    assert (places[0], places[-1]) == (0, len(text))
    assert places == sorted(places)


def test_a_date_is_cut_before_and_behind_alone():
    assert cuts("by 2026-11-02 pay $500") == [0, 2, 3, 13, 17, 18, 22, 22]
