"""Tokens: nothing is lost in cutting, and what moves is masked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stepdown.audit.tokens import (
    common_words,
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
